"""Which arm is best, which others may be, and how sure each difference is: records and seeds both left to chance.

    compare({"lora": x_RS, "soft_prompt": y_RS, "zero_shot": z_R1}, deterministic=["zero_shot"])

    best "lora", winners ("lora", "soft_prompt"), contrasts: lora - soft_prompt 2.1 points (-1.9 to 6.1), open; ...

Winners are comparisons with the best (Hsu, Annals of Statistics 1981 and 1984; Edwards and Hsu, JASA 1983): an arm
leaves when some other arm leads it by more than luck would give the best of K - 1 rivals, one-sided at alpha. What that
luck is, is drawn: errors of all arms together, with the records that they share and the seeds that they do not
(field.py). So each arm that is truly best is among the winners with probability 1 - alpha.

    contrasts       the best arm against each other one; different: that arm is not among the winners
    equivalence     two one-sided tests inside the margin (Schuirmann 1987), Holm over the contrasts
    other pairs     two-sided, Holm over them

R records, S seeds, K arms.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tuneoff.stats.artifact import ArtifactContrast, artifact_contrast
from tuneoff.stats.field import Contrast, Field
from tuneoff.stats.interval import Bounds, Interval
from tuneoff.stats.many import ALPHA, holm

__all__ = ["Comparison", "compare"]

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """best: the highest mean. winners: those that may be the best, by mean. arms: each one's mean and interval.
    unknown: random arms of one seed where no arm has several, so that only records count. artifacts: the saved files
    of each contrast's arms, where their columns were named."""

    best: str
    winners: tuple[str, ...]
    contrasts: tuple[Contrast, ...]
    arms: dict[str, Interval]
    unknown: tuple[str, ...] = ()
    artifacts: tuple[ArtifactContrast, ...] = ()


def compare(
    scores: Mapping[str, np.ndarray],
    *,
    alpha: float = ALPHA,
    margin: float = 0.01,
    bounds: Bounds = (0.0, 1.0),
    deterministic: Collection[str] = (),
    groups: Mapping[str, str] | None = None,
    artifact: Mapping[str, int] | None = None,
    pairs: str | Sequence[Pair] = "decision",
) -> Comparison:
    """Compare arms on the same records; more is better.

    scores: by arm, [records, seeds], rows in the same order everywhere; seeds need not be equal in number, and one
    column may be a vector. alpha: error rate. margin: differences inside it are practically equal. bounds: of a mean.
    deterministic: arms without randomness, of one column; another arm of one column takes the seed spread of its
    group. groups: by arm, whose seeds may be alike (without it: all). artifact: by arm, the column of the saved file.
    pairs: "decision" (the best against each other arm), "all", or a list of further pairs beside those.

    Raises ValueError for no arms, arms that do not pair, scores that are not finite or not inside
    the bounds, and names that are not among the arms. Deterministic: the draws have a fixed seed.
    """
    arms = {name: _matrix(name, x, bounds) for name, x in scores.items()}
    _check(arms, deterministic, groups or {}, artifact or {}, pairs)
    field = Field(arms, deterministic, groups or {}, alpha, margin, bounds)
    names = sorted(arms, key=lambda name: -field.mean[name])
    not_best = field.not_best(names)
    contrasts = _with_best(field, names, not_best)
    contrasts += _beside(field, _further(pairs, names, {frozenset((row.a, row.b)) for row in contrasts}))
    return Comparison(
        best=names[0],
        winners=tuple(name for name in names if not_best[name] >= alpha),
        contrasts=tuple(contrasts),
        arms={name: field.interval(name) for name in names},
        unknown=tuple(name for name in names if name in field.unknown),
        artifacts=tuple(_saved(arms, artifact or {}, contrasts)),
    )


def _with_best(field: Field, names: Sequence[str], not_best: Mapping[str, float]) -> list[Contrast]:
    """The first of the names against each other one; what is different follows the winners."""
    alone = [field.contrast(names[0], name) for name in names[1:]]
    return _decided(field, alone, [not_best[row.b] for row in alone])


def _beside(field: Field, pairs: Sequence[Pair]) -> list[Contrast]:
    """Further pairs, the better one first."""
    alone = [field.contrast(*sorted(pair, key=lambda name: -field.mean[name])) for pair in pairs]
    return _decided(field, alone, holm(np.array([row.p for row in alone])).tolist())


def _decided(field: Field, alone: Sequence[Contrast], adjusted: Sequence[float]) -> list[Contrast]:
    equal = holm(np.array([row.p_equal for row in alone]))
    return [
        row._replace(p_adjusted=p, decision=_decision(p, p_equal, field.alpha))
        for row, p, p_equal in zip(alone, adjusted, equal)
    ]


def _decision(p_different: float, p_equal: float, alpha: float) -> str:
    if p_different < alpha:
        return "different"
    return "practically_equal" if p_equal < alpha else "open"


def _further(pairs: str | Sequence[Pair], names: Sequence[str], told: set[frozenset]) -> list[Pair]:
    if pairs == "decision":
        return []
    wanted = combinations(names, 2) if pairs == "all" else pairs
    return [pair for pair in wanted if frozenset(pair) not in told]


def _saved(
    arms: Mapping[str, np.ndarray], columns: Mapping[str, int], contrasts: Sequence[Contrast]
) -> list[ArtifactContrast]:
    """The contrasts between saved files; an arm of one column is its own file."""
    files = {
        name: x_RS[:, columns.get(name, 0)] for name, x_RS in arms.items() if name in columns or x_RS.shape[1] == 1
    }
    both = [(row.a, row.b) for row in contrasts if columns and row.a in files and row.b in files]
    return [artifact_contrast(a, b, files[a], files[b]) for a, b in both]


def _matrix(name: str, x: np.ndarray, bounds: Bounds) -> np.ndarray:
    x = np.asarray(x, dtype=float)
    x_RS = x[:, None] if x.ndim == 1 else x
    if x_RS.ndim != 2 or 0 in x_RS.shape:
        raise ValueError(f"the scores of {name!r} are an array [records, seeds], not of shape {x.shape}")
    if not np.isfinite(x_RS).all():
        raise ValueError(f"{name!r} has {int((~np.isfinite(x_RS)).sum())} scores that are not finite numbers")
    mean_S = x_RS.mean(axis=0)
    if mean_S.min() < bounds[0] - 1e-9 or mean_S.max() > bounds[1] + 1e-9:
        raise ValueError(f"means of {name!r} go from {mean_S.min():g} to {mean_S.max():g}, outside bounds={bounds}")
    return x_RS


def _check(arms, deterministic, groups, artifact, pairs) -> None:
    if not arms:
        raise ValueError("there are no arms to compare")
    records = {name: len(x_RS) for name, x_RS in arms.items()}
    if len(set(records.values())) > 1:
        raise ValueError(f"arms are compared on the same records, and these have different numbers of them: {records}")
    named = {*deterministic, *groups, *artifact}
    if not isinstance(pairs, str):
        named |= {name for pair in pairs for name in pair}
    elif pairs not in ("decision", "all"):
        raise ValueError(f'pairs is "decision", "all" or a list of pairs, not {pairs!r}')
    if strangers := sorted(named - set(arms)):
        raise ValueError(f"no scores for {', '.join(map(repr, strangers))}; the arms are {', '.join(map(repr, arms))}")
    for name in deterministic:
        if arms[name].shape[1] != 1:
            raise ValueError(f"{name!r} is deterministic, so it has one column, not {arms[name].shape[1]}")
    for name, column in artifact.items():
        if not 0 <= column < arms[name].shape[1]:
            raise ValueError(f"{name!r} has {arms[name].shape[1]} columns, so none has number {column}")
