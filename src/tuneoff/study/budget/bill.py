"""What the jobs of a race take, added up from measured rates: the forecast's arithmetic.

    a job from one rung to the next  =  its start
                                     +  trained tokens x seconds a token, over its stages
                                     +  at each check: validation answered
                                     +  where a check may stand: its state put aside
                                     +  at the end: what it learned saved

    50 records of 40 tokens at 2 ms, 4 checks of 20 records at 100 ms    ->    4 s + 8 s

What is kept is paid once: the context of a record, by all arms that ask with the same prompt.
"""

from tuneoff.core.identity import content_hash
from tuneoff.core.rungs import LAST
from tuneoff.engine.batches import epoch_steps
from tuneoff.engine.schedule import Schedule
from tuneoff.evaluation import retention, serving
from tuneoff.study.arm import Arm, Job, Stage, held_out
from tuneoff.study.axes.sizes import BATCHES
from tuneoff.study.budget.rates import BOTH_WAYS, ArmRate, Rates
from tuneoff.study.budget.share import beside_s
from tuneoff.study.plan import Plan
from tuneoff.study.race import Place
from tuneoff.study.work import PRIOR_RECORDS

__all__ = ["PHASES", "Bill"]

PHASES = {
    "before": "loading and measuring",
    "trials": "first seed",
    "seeds": "other seeds",
    "test": "test",
    "beside": "latency, drift, robustness, memorisation, verdict",
    "curve": "fewer records",
}
RACE = ("trials", "seeds", "test")


class Bill:
    """length: the share of the longest training after which one ends. seconds: by phase, so far. fixed_s: of them, what
    is as long on any machine. tokens: trained, so far.
    """

    def __init__(self, plan: Plan, rates: Rates, length: float = 1.0):
        self.plan, self.rates, self.length = plan, rates, length
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.seconds["before"] = rates.before_s + rates.took_s
        self.fixed_s = self.tokens = 0.0
        self._arms = {arm.name: arm for arm in plan.arms}
        self._met: set[tuple] = set()
        self._raced_s = 0.0  # before this bill

    def after(self, length: float) -> "Bill":
        """A new one of what comes after this, for trainings of another length: what has been met is paid for."""
        bill = Bill(self.plan, self.rates, length)
        bill.seconds["before"] = 0.0
        bill._met, bill._raced_s = set(self._met), self.raced_s
        return bill

    @property
    def all_s(self) -> float:
        return sum(self.seconds.values())

    @property
    def raced_s(self) -> float:
        """Of jobs and tests, so far."""
        return self._raced_s + sum(self.seconds[phase] for phase in RACE)

    def keep_share(self) -> None:
        """All figures beside quality together take no more than their share; what was measured before has some of it.

        To be called at the end of the race: the records that they stand on become fewer.
        """
        allowed_s = max(0.0, beside_s(self.plan, self.raced_s) - self.rates.took_s)
        self.fixed_s = min(self.fixed_s, allowed_s)
        self.seconds["beside"] = min(self.seconds["beside"], allowed_s)

    @property
    def sizes(self) -> list[int]:
        """Of the learning curves, below all training records."""
        return sorted({size for size in self.plan.spec.curve if size < len(self.plan.data.train)})

    def fit(self, place: Place, was: int, rung: int) -> None:
        """Bring a job from one rung (0: not begun) to another."""
        arm = self._arms[place[0]]
        rate = self.rates.of(arm)
        seconds = rate.start_s
        if not arm.baseline:
            seconds += sum(self._stage(place, number, was, rung) for number in range(len(rate.token_s)))
            seconds += self._end(place) if rung == LAST else 0.0
        self.seconds["seeds" if place[2] else "trials"] += seconds

    def test(self, place: Place) -> None:
        """Answer the test set."""
        arm = self._arms[place[0]]
        answered = 0.0 if arm.baseline else self._answered(place, "test", len(self.plan.data.test))
        self.seconds["test"] += self.rates.of(arm).open_s + answered

    def beside(self, name: str) -> None:
        """Take the figures beside quality of an arm's artifact, as [measure] asks for them; a little too much."""
        arm, asked = self._arms[name], self.plan.spec.measure
        rate = self.rates.of(arm)
        if arm.baseline or rate == ArmRate():
            return
        records = min(len(self.plan.data.validation), asked.records)
        new_s, seconds = rate.record_s + rate.first_s, rate.open_s
        again_s = records * rate.record_s + rate.written_s(records)
        asked_s = again_s + records * rate.first_s + rate.shared_s
        if asked.serving:
            repeats = 1 + sum(BATCHES)  # one to warm up
            self.fixed_s += len(BATCHES) * serving.SECONDS
            seconds += len(BATCHES) * serving.SECONDS + repeats * (new_s + rate.shared_s)
        if asked.rewordings:
            count = asked.rewordings if isinstance(asked.rewordings, int) else len(asked.rewordings)
            seconds += again_s + count * asked_s
        if asked.memorisation and arm.learns:
            seconds += asked_s
        if asked.retention and arm.stages:
            seconds += self._retention()
        self.seconds["beside"] += seconds

    def sized(self, name: str, size: int) -> None:
        """A job on the first `size` training records, a point of a learning curve."""
        arm, place = self._arms[name], (name, 0, 0)
        rate = self.rates.of(arm)
        stages = [self._stage(place, number, 0, LAST, size) for number in range(len(rate.token_s))]
        self.seconds["curve"] += rate.start_s + sum(stages) + (0.0 if arm.baseline else self._end(place))

    def _retention(self) -> float:
        """The base's own texts are written once, and read under each arm."""
        first = not self._seen("own texts")
        return retention.TEXTS * retention.TOKENS * self.rates.forward_s * (1 + BOTH_WAYS * first)

    def _stage(self, place: Place, number: int, was: int, rung: int, size: int = 0) -> float:
        """Seconds of one stage; the rungs are those of the last one, before which the others are done."""
        arm = self._arms[place[0]]
        stage, rate = arm.stages[number], self.rates.of(arm)
        lesson = rate.records[number] if stage.course or not size else min(size, rate.records[number])
        job, last = self.plan.job(arm, 0, place[2], "", size=size), number == len(arm.stages) - 1
        schedule = self.plan.schedule_of(job, number)
        whole = _whole(schedule, lesson, self.length)
        first, until = 0 if was == 0 else whole, whole
        if last:
            first = min(whole, schedule.rung_step(lesson, was)) if was else 0
            until = whole if rung == LAST else min(whole, schedule.rung_step(lesson, rung))
        tokens = (until - first) * lesson / epoch_steps(lesson, schedule.batch_size) * rate.tokens[number]
        self.tokens += tokens
        seconds = tokens * rate.token_s[number]
        if stage.course is None:
            seconds += self._contexts(place, "train", lesson) if until > first else 0.0
        checks = sum(first < step <= until for step in schedule.check_steps(lesson))
        answered = sum(first < step <= until for step in self._answered_at(job, schedule, lesson, whole)) if last else 0
        seconds += rate.aside_s * checks
        if last and self.plan.in_8_bits(arm):  # what was checked on rounded layers is answered once more
            seconds += self._answered(place, "validation", len(self.plan.data.validation))
        looks = [self._check(place, stage, number) for _ in range(checks)]
        return seconds + sum(looks) + answered * self._written(place)

    def _answered_at(self, job: Job, schedule: Schedule, lesson: int, whole: int) -> set[int]:
        """The steps at which texts are written too: the early rungs of a race, and the end."""
        early = [schedule.rung_step(lesson, rung) for rung in range(1, LAST)] if job.raced else []
        return {*early, whole}

    def _written(self, place: Place) -> float:
        """To write the answers of validation, beside reading the records."""
        return self.rates.of(self._arms[place[0]]).written_s(len(self.plan.data.validation))

    def _check(self, place: Place, stage: Stage, number: int) -> float:
        if stage.course is None:
            return self._read(place, "validation", len(self.plan.data.validation))
        rate = self.rates.of(self._arms[place[0]])
        return held_out(rate.records[number]) * rate.tokens[number] * rate.token_s[number] / BOTH_WAYS

    def _end(self, place: Place) -> float:
        """What no check has answered yet, and what is saved."""
        arm, data = self._arms[place[0]], self.plan.data
        prior = self._answered(place, "prior", min(PRIOR_RECORDS, len(data.train))) if arm.calibrated else 0.0
        asked = 0.0 if arm.stages else self._answered(place, "validation", len(data.validation))
        return prior + asked + self.rates.of(arm).keep_s

    def _answered(self, place: Place, split: str, count: int) -> float:
        return self._read(place, split, count) + self.rates.of(self._arms[place[0]]).written_s(count)

    def _read(self, place: Place, split: str, count: int) -> float:
        """To read records, and their labels or right answers."""
        rate = self.rates.of(self._arms[place[0]])
        seconds = count * rate.record_s
        return seconds + (self._contexts(place, split, count) if rate.first_s else rate.shared_s)

    def _contexts(self, place: Place, split: str, count: int) -> float:
        """What is paid when the records of a split are met for the first time with this prompt."""
        arm = self._arms[place[0]]
        rate = self.rates.of(arm)
        if not rate.first_s or self._seen(split, *_asked(arm, place)):
            return 0.0
        return rate.shared_s + count * rate.first_s

    def _seen(self, *what: object) -> bool:
        seen = what in self._met
        self._met.add(what)
        return seen


def _whole(schedule: Schedule, records: int, length: float) -> int:
    """The last step of a training that ends after a share of its cap, and behind the early rungs."""
    return max(schedule.first_end(records), round(length * schedule.steps(records)))


def _asked(arm: Arm, place: Place) -> tuple:
    """Equal for jobs that ask with the same prompt."""
    random = arm.prompt.method.random
    return (content_hash([arm.prompt.name, arm.prompt.method.content()]), place[1:] if random else ())
