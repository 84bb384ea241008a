"""The two sides of `usual_way`: the parts that are measured of each, and how many of them the whole work takes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import lcm
from typing import NamedTuple

from benchmarks.ceiling import Ceiling
from benchmarks.counts import Company, Counts, method_of, schedule_of, trained
from benchmarks.harness import WARM, Settings, Slot, close
from benchmarks.many_arms import step_together
from benchmarks.ours import OurTraining, our_training
from benchmarks.peers import PeerTraining, peft_trainer
from benchmarks.score import LmEval, Questions, same_scores, score_ceiling
from benchmarks.slots import Lesson, asked, lesson
from benchmarks.training import SAME_LOSS
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.examples import Example, shared_start
from tuneoff.evaluation.run import answer_examples
from tuneoff.models.base import Base
from tuneoff.study.plan import Plan

__all__ = [
    "MODEL",
    "STANDS_IN",
    "Grid",
    "Side",
    "ceiling_side",
    "grid_of",
    "our_peers",
    "our_side",
    "their_side",
    "worn_arms",
]

MODEL = "smollm2-135m-instruct"
STANDS_IN = {"soft_prompt_after": "soft_prompt"}
STEPS, RECORDS = 6, 24  # of a slot; so many short records are one batch of ours on a processor
NEW = "record, its context included"
LONGEST = 4096  # no tweet is left out
HOUR = 3600.0

Parts = dict[str, Slot]
Amounts = dict[str, float]
Same = dict[str, dict]
Peers = dict[str, tuple[PeerTraining, LmEval]]


class Grid(NamedTuple):
    """The work that both sides are given.

    lesson: training batches by cycle. held: validation records, of which a slot scores `records`.
    """

    plan: Plan
    base: Base
    lesson: Lesson
    train: list[Example]
    held: list[Example]
    records: int

    @property
    def shared(self) -> int:
        """Tokens that all training prompts start with."""
        return shared_start([example.ids.prompt for example in self.train])

    def scored(self, cycle: int) -> list[Example]:
        """Validation records of a cycle."""
        return self.held[(cycle + 1) * self.records : (cycle + 2) * self.records]

    def questions(self) -> Questions:
        """As lm-eval is asked: without an end-of-turn token, since it has none."""
        answers = [self.base.chat.answer_ids(label)[:-1] for label in self.plan.task.labels]
        prompts = [example.ids.prompt for example in self.held]
        return Questions(
            case="",
            goal=0.0,
            source="",
            prompts=prompts,
            answers=answers,
            per_slot=self.records,
            theirs=max(1, self.records // 2),  # it shares nothing between records, and takes ten times as long
        )


class Side(NamedTuple):
    """parts: slots by name, each worth its amount of units. amounts: units that the whole work takes."""

    parts: Parts
    amounts: Amounts

    def hours(self, seconds: Mapping[str, float]) -> float:
        """seconds: of one unit of each part."""
        return sum(self.amounts[name] * seconds[name] for name in self.parts) / HOUR


def grid_of(plan: Plan, settings: Settings, cycles: int) -> Grid:
    """Batches and records for so many cycles, other ones in each."""
    base, size = settings.base(MODEL), plan.schedule.batch_size
    train, held = (asked(base, own, plan.task.instruction, LONGEST) for own in (plan.data.train, plan.data.validation))
    steps = min(settings.few(STEPS, 2), len(train) // (size * cycles))
    records = min(settings.few(RECORDS, 4), len(held) // (cycles + 1))
    return Grid(plan, base, lesson(train, size, max(1, steps), cycles), train, held, max(1, records))


def worn_arms(stack: ExitStack, grid: Grid, counts: Counts, cache: ContextCache) -> dict[str, list[OurTraining]]:
    """Of each method as many jobs as its largest company has, each behind its first step."""
    made = {}
    for arm in trained(grid.plan):
        most = max(company.count(arm.name) for company in counts.passes)
        method = method_of(arm)
        own = [stack.enter_context(our_training(grid.base, method, grid.train, cache)) for _ in range(most)]
        for training in own:
            training.step(grid.lesson.common)
        made[arm.name] = own
    return made


def our_peers(grid: Grid, arms: Mapping[str, Sequence[OurTraining]], settings: Settings) -> tuple[Peers, Same]:
    """`peft` and lm-eval for each method that `peft` has, and both sides' figures of one thing."""
    peers: Peers = {}
    same: Same = {}
    allowed = SAME_LOSS[grid.base.net.dtype.itemsize]
    for name in dict.fromkeys(STANDS_IN.get(name, name) for name in arms):
        ours, base = arms[name][0], settings.base(MODEL)
        peer = peft_trainer(base, ours.adapter, grid.lesson.size)
        batch = grid.lesson.common
        loss = close(f"loss of {name} on a common batch", ours.loss(batch), peer.loss(batch), allowed)
        asking = LmEval(base, grid.questions(), peer.model.eval())
        with ours.contexts.worn as worn:
            same[name] = {"loss": loss, "scores": same_scores(worn, asking, asking.asked)}
        peers[name] = peer, asking
    return peers, same


def their_side(grid: Grid, peers: Peers) -> Side:
    """A step and a record of each method that `peft` has."""
    parts: Parts = {}
    for name, (peer, asking) in peers.items():
        parts[f"{name} step"] = _their_steps(grid.lesson, peer)
        parts[f"{name} record"] = _their_records(peer, asking)
    return Side(parts, _their_amounts(grid.plan))


def _their_steps(given: Lesson, peer: PeerTraining) -> Slot:
    def slot(cycle: int) -> float:
        batches = given.slot(cycle).theirs
        for batch in batches:
            peer.step(batch)
        return len(batches)

    return slot


def _their_records(peer: PeerTraining, asking: LmEval) -> Slot:
    def slot(cycle: int) -> float:
        peer.model.eval()
        return asking.run(cycle)

    return slot


def _their_amounts(plan: Plan) -> Amounts:
    """Every job to its end, validation once, the test by each method's chosen setting with all its seeds."""
    amounts: Counter[str] = Counter()
    steps = schedule_of(plan).steps(len(plan.data.train))
    for arm in trained(plan):
        name, jobs = STANDS_IN.get(arm.name, arm.name), len(plan.settings[arm.name]) * plan.seeds(arm)
        amounts[f"{name} step"] += jobs * steps
        amounts[f"{name} record"] += jobs * len(plan.data.validation) + plan.seeds(arm) * len(plan.data.test)
    return dict(amounts)


def our_side(grid: Grid, arms: Mapping[str, Sequence[OurTraining]], counts: Counts, cache: ContextCache) -> Side:
    """A pass of each company, and a record of each method; behind kept contexts, first one that is not kept yet."""
    kept = [name for name, own in arms.items() if own[0].contexts.behind_prompts]
    parts: Parts = {_named(company): _passes(grid.lesson, arms, company) for company in counts.passes}
    parts |= {f"{name} {NEW}": _records(grid, arms[name][0], cache) for name in kept}
    parts |= {f"{name} record": _records(grid, own[0], cache) for name, own in arms.items()}
    return Side(parts, _our_amounts(grid.plan, counts, kept))


def _passes(given: Lesson, arms: Mapping[str, Sequence[OurTraining]], company: Company) -> Slot:
    """So many passes that every arm-step's batch, from the shortest to the longest, is met equally often."""
    number = {name: iter(own) for name, own in arms.items()}
    own = [next(number[name]) for name in company]
    warm = given.slot(WARM).ours
    if own[0].contexts.behind_prompts:  # warming up keeps the contexts of all cycles
        warm = [batch for slot in given.slots for batch in slot.ours]

    def slot(cycle: int) -> float:
        batches = warm if cycle == WARM else given.slot(cycle).ours
        passes = lcm(len(batches), len(own)) // len(own)
        for at in range(passes):
            step_together(own, [batches[(at * len(own) + arm) % len(batches)] for arm in range(len(own))])
        return passes

    return slot


def _records(grid: Grid, ours: OurTraining, cache: ContextCache) -> Slot:
    """As a study answers its validation records, the end of the turn included."""

    def slot(cycle: int) -> float:
        examples = grid.scored(cycle)
        with ours.contexts.worn as worn:
            answer_examples(worn, grid.plan.task, examples, cache=cache)
        return len(examples)

    return slot


def _named(company: Company) -> str:
    """A part's name: `pass of 2 ia3 + 2 lora`."""
    return "pass of " + " + ".join(f"{jobs} {name}" for name, jobs in Counter(company).items())


def _our_amounts(plan: Plan, counts: Counts, kept: Sequence[str]) -> Amounts:
    """Training records are counted as new ones too, though nothing but their contexts is run."""
    data = plan.data
    every = len(data.train) + len(data.validation) + len(data.test)
    amounts = {_named(company): passes for company, passes in counts.passes.items()}
    for arm in trained(plan):
        checks, tests = counts.checks.get(arm.name, 0), counts.tests.get(arm.name, 0)
        amounts[f"{arm.name} record"] = checks * len(data.validation) + tests * len(data.test)
    return amounts | {f"{name} {NEW}": every / len(kept) for name in kept}


def ceiling_side(grid: Grid, arm: OurTraining) -> Side:
    """The matmuls of all jobs, each to its end and with as many rows as this arm's."""
    frozen, forward = Ceiling(grid.base, "frozen"), Ceiling(grid.base, "forward")
    questions = grid.questions()

    def steps(cycle: int) -> float:
        batches = grid.lesson.slot(cycle).ours
        for batch in batches:
            frozen.run(arm.rows(batch))
        return len(batches)

    def records(cycle: int) -> float:
        return score_ceiling(forward, questions.slot(cycle), questions.answers)

    theirs = _their_amounts(grid.plan)
    amounts = {kind: sum(n for name, n in theirs.items() if name.endswith(kind)) for kind in ("step", "record")}
    return Side({"step": steps, "record": records}, amounts)
