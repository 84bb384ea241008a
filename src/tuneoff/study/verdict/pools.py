"""What seeds add to a difference at the least: three seeds of one arm say little, those of all trained arms more.

    lora, dora and soft_prompt ran 3 seeds each: a run's accuracy varies by 2 points over them, 6 degrees of freedom
    lora - soft_prompt: seeds add at least (2^2 + 2^2) / 3      lora - zero_shot: at least 2^2 / 3

Draws of demonstrations are another kind of luck, and arms that share them move together: they keep what they show.
"""

from collections.abc import Callable, Mapping

from tuneoff.stats.crossed import Seeds, pooled_seeds
from tuneoff.study.traits import Traits
from tuneoff.study.verdict.figure import Sample, mean_squares

__all__ = ["seed_floors"]


def seed_floors(
    samples: Mapping[str, Sample], runs: Mapping[str, int], traits: Mapping[str, Traits]
) -> Callable[[str, str], Seeds]:
    """What seeds add to the variance of a pair's difference at the least, as a function of its arms. runs: by arm."""
    trained = {name: count for name, count in runs.items() if count > 1 and traits[name].trains}
    pool = pooled_seeds(mean_squares(samples[name]) for name in trained)

    def floor(a: str, b: str) -> Seeds:
        own = [trained[name] for name in (a, b) if name in trained]
        return pool.times(len(own) / min(own)) if own else pool.times(0)

    return floor
