"""How much of a study's time may go into what stands beside its race: the first opinion, the measuring of rates, the
figures of each artifact. A quarter of the whole, unless [measure] says otherwise.

    a race of 10 min  ->  3 min 20 s beside it, a quarter of 13 min 20 s

Before the race its time is not known. A rough guess is enough to settle how much to look at: the work in records run
forward once (study/plan.py), the length of a record, and how fast this machine reads.
"""

import math
from statistics import fmean

from tuneoff.core.budget import parse_budget
from tuneoff.data.prompt import Prompt
from tuneoff.study.plan import Plan
from tuneoff.study.work import Worker

__all__ = ["MEASURING", "OPINION", "beside_s", "rough_race_s"]

OPINION, MEASURING = 0.3, 0.2  # of what may be spent beside the race; the figures have the rest
SAMPLE = 32  # records whose lengths are looked at


def beside_s(plan: Plan, race_s: float) -> float:
    """Seconds that may be spent beside a race of so many."""
    share = plan.spec.measure.share
    return math.inf if share == 1 else share / (1 - share) * race_s


def rough_race_s(worker: Worker, forward_tokens_per_s: float) -> float:
    """What the race will take, within a factor of three or so; no more than a budget allows."""
    plan = worker.plan
    prompt = Prompt(instruction=worker.task.instruction, template=plan.spec.prompt.template)
    lengths = [len(example.ids.ids) for example in worker.encode(prompt, plan.data.train[:SAMPLE])]
    most_s = parse_budget(plan.spec.budget).seconds or math.inf
    return min(plan.whole_work() * fmean(lengths) / forward_tokens_per_s, most_s)
