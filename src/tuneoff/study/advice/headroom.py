"""Task uniqueness and data quantity: what is reached without training, and whether more records would help.

    uniqueness(worker)    zero_shot 39 %, zero_shot (calibrated) 45 %, few_shot 28 %; majority 43 %, words 45 %
    quantity(plan)        500 records, 4 classes, the smallest 41; words 38 % -> 42 % -> 45 %

The words are those of a TF-IDF classifier, which takes a second and no language model. All is measured on validation
records, which are a fair sample from their first one on; the sealed test set is not touched.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from tuneoff.data.record import Record
from tuneoff.engine.attach import Worn
from tuneoff.engine.examples import Example, shared_start
from tuneoff.evaluation.metric import Answer
from tuneoff.evaluation.run import (
    answer_examples,
    choice_answers,
    distribution_answers,
    label_prior,
    label_scores,
    metric_named,
)
from tuneoff.stats.comparison import compare
from tuneoff.stats.interval import Interval, mean_interval
from tuneoff.study.advice.alignment import affordable
from tuneoff.study.advice.factors import CurvePoint, Estimate, Prompted, Quantity, Uniqueness
from tuneoff.study.arm import Arm, Job, calibrated_twin, parse_arm
from tuneoff.study.plan import BASELINES, METRICS, Plan
from tuneoff.study.work import PRIOR_RECORDS, Worker

__all__ = ["quantity", "uniqueness"]

PROBES = ("zero_shot", "few_shot")
_, CLASSIFIER = BASELINES
RECORDS = 64
TOKENS = 4000  # read for one prompt at most; a run that follows finds these contexts kept
WRITTEN = 1500  # tokens generated for one figure at most
LEARNED = 4000  # records that the classifier of words learns from at most
JUDGED = 2000  # records that it is judged on at most
SHARES = (0.25, 0.5, 1.0)


def uniqueness(worker: Worker, effort: float = 1.0) -> Uniqueness:
    """Ask the untuned prompts, and train the classifier of words. effort: how much of what is usually asked."""
    plan = worker.plan
    name = METRICS[plan.data.kind][0]
    asked = list(_asked(worker, name, effort))
    if plan.data.kind != "choice":
        return Uniqueness(metric=name, prompts=tuple(Prompted(arm=arm, score=_mean(own)) for arm, own in asked))
    records = plan.data.validation[:JUDGED]
    label = _majority(plan.data.train)
    always = np.array([float(record.target == label) for record in records])
    words = _words(plan, plan.data.train[:LEARNED], records)
    return Uniqueness(
        metric=name,
        prompts=tuple(_prompted(arm, own, always, words) for arm, own in asked),
        chance=1 / len(plan.task.labels),
        majority=_mean(always),
        majority_label=label,
        words=None if words is None else _mean(words),
        words_over_majority=None if words is None else _over(words, always),
    )


def quantity(plan: Plan) -> Quantity:
    """Count, and see what a classifier of words learns from more records. Needs no language model."""
    train = plan.data.train
    duplicates = plan.data.report.duplicates
    if plan.data.kind != "choice":
        return Quantity(records=len(train), duplicates=duplicates)
    counts = Counter(record.target for record in train)
    smallest = min(plan.task.labels, key=lambda label: counts[label])
    records, learned = plan.data.validation[:JUDGED], train[:LEARNED]
    sizes = [max(1, round(share * len(learned))) for share in SHARES]
    rows = {size: _words(plan, learned[:size], records) for size in sizes}
    known = {size: row for size, row in rows.items() if row is not None}
    half, whole = (known.get(size) for size in sizes[-2:])
    return Quantity(
        records=len(train),
        duplicates=duplicates,
        classes=len(plan.task.labels),
        smallest=counts[smallest],
        smallest_label=smallest,
        curve=tuple(CurvePoint(size, _mean(row)) for size, row in known.items()),
        rise=None if half is None or whole is None else _over(whole, half),
    )


def _asked(worker: Worker, metric: str, effort: float) -> Iterator[tuple[str, np.ndarray]]:
    """(arm, scores of the first validation records): each prompt, and for a choice its calibrated twin."""
    for name in PROBES:
        arm = _arm(worker.plan, name)
        job = Job(arm, 0, 0, {}, "", worker.plan.spec.seed)
        examples = _sample(worker, job, effort)
        if worker.task.kind != "choice":
            yield name, _written(worker, metric, examples)
            continue
        raw, calibrated = _chosen(worker, job, examples, int(effort * TOKENS))
        records = [example.record for example in examples]
        yield name, _scores(worker.plan, metric, raw, records)
        yield calibrated_twin(arm).name, _scores(worker.plan, metric, calibrated, records)


def _arm(plan: Plan, name: str) -> Arm:
    """What that name means in this study, whether it races or not."""
    return parse_arm(name, plan.spec.methods, "study.toml").read(plan.spec.folder)


def _sample(worker: Worker, job: Job, effort: float) -> list[Example]:
    """The first validation records as they are asked, as many as may be read."""
    examples = worker.encode(worker.prompt(job), worker.plan.data.validation[:RECORDS])
    shared = shared_start([example.ids.prompt for example in examples])
    count = affordable([len(example.ids.ids) - shared for example in examples], int(effort * TOKENS))
    if worker.task.kind != "choice":
        count = min(count, affordable([worker.task.max_answer_tokens] * len(examples), int(effort * WRITTEN)))
    return examples[:count]


def _written(worker: Worker, metric: str, examples: Sequence[Example]) -> np.ndarray:
    with Worn(worker.base) as worn:
        answers = answer_examples(worn, worker.task, examples, cache=worker.cache, known=False)
    return _scores(worker.plan, metric, answers, [example.record for example in examples])


def _chosen(worker: Worker, job: Job, examples: Sequence[Example], tokens: int) -> tuple[list[Answer], list[Answer]]:
    """Answers as they are, and with the labels' prior taken off. The worker's kept scores are left alone: they
    depend on the batch they came from in the last bits, and a resumed run would not have these."""
    prompt, records = worker.prompt(job), [example.record for example in examples]
    shown = {record.id for record in prompt.demonstrations} if not prompt.nearest else set()
    others = [record for record in worker.plan.data.train if record.id not in shown][:PRIOR_RECORDS]
    with Worn(worker.base) as worn:
        own = label_scores(worn, worker.task, examples, cache=worker.cache)
        rest = worker.encode(prompt, others) if others else examples
        rest = rest[: affordable([len(example.ids.prompt) for example in rest], tokens)]
        prior = label_prior(label_scores(worn, worker.task, rest, cache=worker.cache))
    return choice_answers(own, worker.task, records), choice_answers(own, worker.task, records, prior)


def _words(plan: Plan, learned: Sequence[Record], records: Sequence[Record]) -> np.ndarray | None:
    """Scores of the TF-IDF classifier; None where it has only one class to learn, or texts without a word."""
    if len({record.target for record in learned}) < 2:
        return None
    method = _arm(plan, CLASSIFIER).baseline.method
    try:
        answerer = method.fit(plan.task, learned, plan.spec.seed)
    except ValueError:  # its arm will fail with the reason; the advice goes on without it
        return None
    answers = distribution_answers(answerer(records), records)
    return _scores(plan, METRICS["choice"][0], answers, records)


def _majority(records: Sequence[Record]) -> str:
    return Counter(record.target for record in records).most_common(1)[0][0]


def _scores(plan: Plan, metric: str, answers: Sequence[Answer], records: Sequence[Record]) -> np.ndarray:
    by = metric_named(metric)
    return np.array([by.row(answer, record, plan.task)[0] for answer, record in zip(answers, records)])


def _prompted(arm: str, own: np.ndarray, always: np.ndarray, words: np.ndarray | None) -> Prompted:
    n = len(own)
    over_words = None if words is None else _over(own, words[:n])
    return Prompted(arm=arm, score=_mean(own), over_majority=_over(own, always[:n]), over_words=over_words)


def _mean(x_R: np.ndarray) -> Estimate:
    return _estimate(mean_interval(x_R), len(x_R))


def _over(a_R: np.ndarray, b_R: np.ndarray) -> Estimate:
    """How much more a has than b on the same records."""
    found = compare({"a": a_R, "b": b_R}, deterministic="ab").contrasts[0]
    over = (found.diff, found.low, found.high) if found.a == "a" else (-found.diff, -found.high, -found.low)
    return _estimate(Interval(*over), len(a_R))


def _estimate(interval: Interval, n: int) -> Estimate:
    return Estimate(interval.mean, interval.low, interval.high, n) if n > 1 else Estimate(interval.mean, None, None, n)
