"""What a study will take on this machine, and the largest one that its budget holds. Rates in, plain numbers out.

The race itself is rehearsed (study/race.py), with made-up scores: at worst nothing is left behind on the way and the
dearest method leads its family; at best the cheapest trained arm is ahead of all others from the first rung on. What
really happens lies between.

    arm      first rung   whole run   test   peak memory          20 min at worst, 9 min at best
    lora           41 s     4 min 2 s   55 s       612 MB
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from tuneoff.core.budget import Budget, parse_budget
from tuneoff.core.errors import StudyError
from tuneoff.core.rungs import LAST, RaceKind
from tuneoff.study.axes.sizes import needed
from tuneoff.study.budget.bill import Bill
from tuneoff.study.budget.rates import Rates
from tuneoff.study.outcome import JobRow
from tuneoff.study.plan import Plan
from tuneoff.study.race import Entry, Place, Seen, next_step
from tuneoff.study.seen import entries_of

__all__ = [
    "AIM",
    "LIKELY",
    "NO_FIGURES",
    "SHORTER",
    "ArmForecast",
    "Fitted",
    "Forecast",
    "Total",
    "figures_s",
    "fit_budget",
    "forecast",
    "likely",
    "rehearse",
    "resized",
    "sized",
    "trials_and_seeds",
    "with_figures",
    "worst",
]

AIM = 0.9  # of the time is planned for: the rest is for the verdict, and for a machine that gets slower
MOST_TRIALS = 8  # that a large budget is used for unasked
SECOND = 2  # trials that come before more seeds
SHORTER = (0.75, 0.5, 0.35)  # of the longest training, where time is very short
LIKELY = 0.6  # of the longest training, at which most curves are flat
SHORTEST = 0.0  # of the longest training: as soon as the early rungs allow
ENOUGH = 512  # records to show what is ahead at best
FIRST = 1
NO_FIGURES = "no latency, drift, robustness and memorisation"

Guess = Callable[[Place], float]


@dataclass(frozen=True, slots=True)
class Total:
    """seconds: by phase (study/budget/bill.py). tokens: trained."""

    seconds: Mapping[str, float]
    tokens: int

    @property
    def all_s(self) -> float:
        return sum(self.seconds.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmForecast:
    """One arm's first job: up to the first rung, and whole; then its test. tokens: of the whole run, trained."""

    arm: str
    rung_s: float
    run_s: float
    test_s: float
    tokens: int
    peak_bytes: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """best, worst: of the whole study."""

    arms: tuple[ArmForecast, ...]
    best: Total
    worst: Total

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Forecast":
        """What `as_json` wrote."""
        table = json.loads(text)
        arms = tuple(ArmForecast(**arm) for arm in table["arms"])
        return cls(arms=arms, best=Total(**table["best"]), worst=Total(**table["worst"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A plan that its budget holds. left_out, added: against what the study asked for, in sentences."""

    plan: Plan
    forecast: Forecast
    budget: Budget
    left_out: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


@dataclass(slots=True)
class Rehearsal:
    """A race on paper. entries: who races. table: jobs so far, which may be real ones; it is changed. bill: what the
    jobs to come take. guess: a job's score. records: how many tell it (one alone never separates two arms)."""

    entries: Sequence[Entry]
    bill: Bill
    guess: Guess
    records: int = 1
    table: dict[Place, Seen] = field(default_factory=dict)

    def run(self, race: RaceKind) -> None:
        """To the end of the race, and behind it the figures of each arm that met the test, and the learning curves."""
        while not (step := next_step(self.entries, self.table.values(), race)).over:
            for place, rung in step.fit:
                self._fit(place, rung)
            places = {seen.row.key: place for place, seen in self.table.items()}
            for key in step.test:
                self._test(places[key])
        tested = dict.fromkeys(place[0] for place, seen in self.table.items() if seen.row.tested)
        for arm in tested:
            self.bill.beside(arm)
        self.bill.keep_share()
        for family in {entry.family: None for entry in self.entries}:
            own = [entry.arm for entry in self.entries if entry.family == family and entry.arm in tested]
            for size in self.bill.sizes if own else ():
                self.bill.sized(max(own, key=lambda arm: self.guess((arm, 0, 0))), size)

    def _fit(self, place: Place, rung: int) -> None:
        seen = self.table.get(place)
        self.bill.fit(place, seen.row.rung if seen else 0, rung)
        score, (arm, trial, seed) = self.guess(place), place
        row = seen.row if seen else JobRow(key=str(place), arm=arm, trial=trial, seed=seed, status="planned")
        row = replace(row, status="done" if rung == LAST else "paused", rung=rung)
        scores = {**(seen.scores if seen else {}), rung: {str(at): score for at in range(self.records)}}
        self.table[place] = Seen(row, scores, (score, 0.0))

    def _test(self, place: Place) -> None:
        self.bill.test(place)
        seen = self.table[place]
        self.table[place] = seen._replace(row=replace(seen.row, tested=True))


def forecast(plan: Plan, rates: Rates) -> Forecast:
    """The whole study, at best and at worst, and each arm's parts. rates: of all its arms."""
    arms = tuple(_arm(plan, rates, arm.name) for arm in plan.racing)
    return Forecast(arms=arms, best=_best(plan, rates), worst=worst(plan, rates))


def worst(plan: Plan, rates: Rates, length: float = 1.0) -> Total:
    """The whole study where nothing is left behind across methods, and the dearest method leads its family. length: as
    `rehearse` has it.
    """
    runs = _runs(plan, rates)
    return rehearse(plan, rates, entries_of(plan), lambda place: _share(runs, place[0]), length=length)


def likely(plan: Plan, rates: Rates) -> Total:
    """The same where curves are flat when most are."""
    return worst(plan, rates, LIKELY)


def rehearse(
    plan: Plan, rates: Rates, entries: Sequence[Entry], guess: Guess, records: int = 1, length: float = 1.0
) -> Total:
    """A race from nothing to its end, on paper. length: the share of the longest training at which curves are flat."""
    bill = Bill(plan, rates, length)
    Rehearsal(entries, bill, guess, records).run(plan.spec.race)
    return Total(dict(bill.seconds), round(bill.tokens))


def _best(plan: Plan, rates: Rates) -> Total:
    runs = _runs(plan, rates)
    trained = [arm.name for arm in plan.racing if arm.stages]
    first = min(trained, key=runs.get, default=None)

    def guess(place: Place) -> float:
        return 1.0 if place[0] == first else 1e-6 * (1 - _share(runs, place[0]))

    return rehearse(plan, rates, entries_of(plan), guess, min(ENOUGH, len(plan.data.validation)), SHORTEST)


def _runs(plan: Plan, rates: Rates) -> dict[str, float]:
    """Seconds of a whole run, by arm."""
    return {arm.name: _one(plan, rates, arm.name, LAST).all_s for arm in plan.racing}


def _share(runs: Mapping[str, float], arm: str) -> float:
    return runs[arm] / max(max(runs.values()), 1e-9)


def _one(plan: Plan, rates: Rates, arm: str, rung: int) -> Total:
    """A first job alone."""
    bill = Bill(plan, replace(rates, before_s=0.0, took_s=0.0))
    bill.fit((arm, 0, 0), 0, rung)
    return Total(dict(bill.seconds), round(bill.tokens))


def _arm(plan: Plan, rates: Rates, name: str) -> ArmForecast:
    arm = plan.arm(name)
    whole = _one(plan, rates, name, LAST)
    tested = Bill(plan, rates)
    tested.test((name, 0, 0))
    return ArmForecast(
        arm=name,
        rung_s=_one(plan, rates, name, FIRST).all_s if arm.stages else whole.all_s,
        run_s=whole.all_s,
        test_s=tested.seconds["test"],
        tokens=whole.tokens,
        peak_bytes=rates.of(arm).peak_bytes,
    )


def resized(plan: Plan, trials: int, seeds: int, *, beside: bool = True) -> Plan:
    """The same study with other numbers of trials (of each family) and seeds; jobs that are in both are the same.

    beside: whether the figures beside quality are taken that it asks for; else those alone that decide.
    """
    asked = plan.spec
    measure = asked.measure if beside else needed(asked.measure, asked.decision)
    spec = asked.model_copy(update={"trials": trials, "seeds": seeds, "measure": measure})
    settings = {arm.name: arm.settings(trials, spec.seed) for arm in plan.arms}
    return replace(plan, spec=spec, settings=settings)


def fit_budget(plan: Plan, rates: Rates) -> Fitted:
    """The largest study that its budget holds; as it is where it has none. Time is reckoned with curves that are flat
    when most are, and a run that turns out slower is made smaller on its way; tokens are never more than asked for.

    First comes one finished trial of each family's default, then a second setting of every family, then seeds, then the
    figures beside quality, then more trials, up to 8 where the study says nothing of them. Where not even the first
    fits, training is shortened. Data and prompt stay as they were asked for.
    Raises StudyError with the smallest budget that would do.
    """
    budget = parse_budget(plan.spec.budget)
    if not budget:
        return sized(plan, plan, rates)
    for made in _sizes(plan, in_time=budget.seconds is not None):
        if _holds(budget, made, rates):
            return sized(plan, made, rates)
    raise _too_small(plan, rates, budget)


def _sizes(plan: Plan, *, in_time: bool) -> Iterator[Plan]:
    """Studies from the largest to the smallest that means something. in_time: whether leaving out figures helps."""
    counts = list(trials_and_seeds(plan))
    whole = (min(counts[0][0], SECOND), plan.spec.seeds)
    for trials, seeds in counts:
        if seeds == whole[1] and trials >= whole[0]:
            yield resized(plan, trials, seeds)
        if trials <= whole[0]:
            yield resized(plan, trials, seeds, beside=not in_time)
    yield from (replace(resized(plan, 1, 1, beside=not in_time), cap=cap) for cap in SHORTER)


def trials_and_seeds(plan: Plan) -> Iterator[tuple[int, int]]:
    """What a study may have of both, the most first: more than a second trial only with all seeds."""
    asked = plan.spec
    most = asked.trials if "trials" in asked.model_fields_set else max(asked.trials, MOST_TRIALS)
    for trials in range(most, 0, -1):
        fewest = asked.seeds if trials > SECOND else 1
        yield from ((trials, seeds) for seeds in range(asked.seeds, fewest - 1, -1))


def _holds(budget: Budget, made: Plan, rates: Rates) -> bool:
    in_time = budget.seconds is None or likely(made, rates).all_s <= AIM * budget.seconds
    return in_time and (budget.tokens is None or worst(made, rates).tokens <= budget.tokens)


def sized(plan: Plan, made: Plan, rates: Rates) -> Fitted:
    """What became of a plan. made: the same with other numbers."""
    budget = parse_budget(plan.spec.budget)
    changes = _changes(plan, made, rates) if budget else {}
    return Fitted(plan=made, forecast=forecast(made, rates), budget=budget, **changes)


def _changes(plan: Plan, made: Plan, rates: Rates) -> dict[str, tuple[str, ...]]:
    """What was left out or added, each as a sentence with its numbers."""
    asked, got = plan.spec, made.spec
    more = (f"{got.trials} trials of each family: the budget has room for more than the default",)
    added = more if got.trials > asked.trials else ()
    whole, left_out = likely(plan, rates), []
    for name, was, now in (("trials of each family", asked.trials, got.trials), ("seeds", asked.seeds, got.seeds)):
        if now < was:
            left_out.append(f"{now} of {was} {name}")
    if got.seeds == 1 < asked.seeds:
        left_out[-1] += ": how much another seed would change stays unknown"
    if got.measure != asked.measure:
        left_out.append(NO_FIGURES)
    if made.cap < 1:
        left_out.append(f"training ends at {100 * made.cap:.0f} % of its longest, and may be unfinished")
    if left_out:
        left_out.append(f"all that was asked for would take about {_needs(whole)}")
    return {"left_out": tuple(left_out), "added": added}


def figures_s(plan: Plan, rates: Rates) -> float:
    """Seconds that the figures beside quality take, as the study asks for them."""
    return worst(resized(plan, 1, 1), rates).seconds["beside"]


def with_figures(fitted: Fitted, asked: Plan, rates: Rates) -> Fitted:
    """The same, with the figures beside quality that the study asks for."""
    spec = fitted.plan.spec.model_copy(update={"measure": asked.spec.measure})
    plan = replace(fitted.plan, spec=spec)
    left_out = tuple(sentence for sentence in fitted.left_out if sentence != NO_FIGURES)
    return replace(fitted, plan=plan, forecast=forecast(plan, rates), left_out=left_out)


def _too_small(plan: Plan, rates: Rates, budget: Budget) -> StudyError:
    made = replace(resized(plan, 1, 1, beside=False), cap=SHORTER[-1])
    least, most = likely(made, rates), worst(made, rates)
    runs = _runs(plan, rates)
    dearest = max(runs, key=runs.get)
    needed = Budget(
        None if budget.seconds is None else _time_up(least.all_s / AIM),
        None if budget.tokens is None else _tokens_up(most.tokens),
    )
    return StudyError(
        f"this study needs at least {needed} here: a short run of each arm with its defaults, and the test",
        found=f'budget = "{budget}"',
        fix=f'write budget = "{needed}", or leave out an arm (the dearest is {dearest}), epochs or records',
    )


def _needs(total: Total) -> Budget:
    return Budget(_time_up(total.all_s / AIM), _tokens_up(total.tokens) if total.tokens else None)


def _time_up(seconds: float) -> int:
    """Rounded up to what a person would write."""
    step = next(step for below, step in ((120, 10), (600, 30), (7200, 60), (math.inf, 600)) if seconds < below)
    return max(1, math.ceil(seconds / step)) * step


def _tokens_up(tokens: int) -> int:
    """Rounded up to two digits."""
    step = 10 ** max(0, len(str(tokens)) - 2)
    return max(1, -(-tokens // step)) * step
