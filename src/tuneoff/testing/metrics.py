"""What every metric must do, whatever it measures. A metric of your own is tested by

import pytest
from tuneoff.testing.metrics import CHECKS

@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_my_metric(check):
    check(MyMetric())
"""

import math
from dataclasses import replace

import numpy as np

from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Answer, Metric

__all__ = ["CHECKS", "examples"]

CHOICE = Task(name="feeling", kind="choice", labels=("anger", "joy", "fear"))
TEXT = Task(name="question", kind="text")
TEXTS = ("a small white cat", "the tower of Pisa, in Italy", "forty-two")


def examples(metric: Metric) -> list[tuple[Task, list[Record]]]:
    """A small task of each kind that the metric is made for, with its records."""
    tasks = [(CHOICE, CHOICE.labels), (TEXT, TEXTS)]
    return [
        (task, [Record(fields={"text": f"case {word}"}, target=word) for word in words])
        for task, words in tasks
        if task.kind in metric.kinds
    ]


def names_what_it_is_for(metric: Metric) -> None:
    assert metric.name
    assert metric.kinds
    assert set(metric.kinds) <= {"choice", "text"}


def prefers_the_right_answer(metric: Metric) -> None:
    for task, records in examples(metric):
        right = _pooled(metric, [_right(record) for record in records], records, task)
        wrong = _pooled(metric, [_wrong(record, records) for record in records], records, task)
        assert right > wrong if metric.up else right < wrong


def a_score_lies_between_0_and_1(metric: Metric) -> None:
    for task, records in examples(metric):
        right = _pooled(metric, [_right(record) for record in records], records, task)
        wrong = _pooled(metric, [_wrong(record, records) for record in records], records, task)
        assert not metric.up or (math.isclose(right, 1.0) and 0 <= wrong < 1)


def the_best_reference_counts(metric: Metric) -> None:
    """An answer that is any of the right ones is as right as the target. A loss is of the target alone."""
    if not metric.up:
        return
    for task, records in examples(metric):
        if task.kind == "text":
            several = [replace(record, alternatives=("another answer", "42")) for record in records]
            said = [Answer(text="another answer", nll=0.1) for _ in several]
            assert math.isclose(_pooled(metric, said, several, task), 1.0)


def unreadable_is_wrong(metric: Metric) -> None:
    if not metric.up:
        return
    for task, records in examples(metric):
        unread = [Answer(text=record.target, readable=False) for record in records]
        assert _pooled(metric, unread, records, task) == 0.0


def rows_are_plain_numbers_of_one_width(metric: Metric) -> None:
    for task, records in examples(metric):
        answers = [*map(_right, records), *(_wrong(record, records) for record in records)]
        rows = [metric.row(answer, record, task) for answer, record in zip(answers, [*records, *records])]
        assert len({len(row) for row in rows}) == 1
        assert all(type(value) is float and math.isfinite(value) for row in rows for value in row)


def the_order_of_records_does_not_matter(metric: Metric) -> None:
    for task, records in examples(metric):
        answers = [_right(records[0]), *(_wrong(record, records) for record in records[1:])]
        rows = [metric.row(answer, record, task) for answer, record in zip(answers, records)]
        assert math.isclose(metric.pool(rows), metric.pool(rows[::-1]))
        assert math.isclose(metric.pool(rows), metric.pool(np.array(rows)))


def a_mean_is_the_mean(metric: Metric) -> None:
    if metric.mean:
        assert math.isclose(metric.pool([(0.25,), (0.75,), (0.2,)]), 0.4)


def _pooled(metric: Metric, answers: list[Answer], records: list[Record], task: Task) -> float:
    return metric.pool([metric.row(answer, record, task) for answer, record in zip(answers, records)])


def _right(record: Record) -> Answer:
    return Answer(text=record.target, nll=0.1)


def _wrong(record: Record, records: list[Record]) -> Answer:
    other = records[(records.index(record) + 1) % len(records)]
    return Answer(text=other.target, nll=2.0)


CHECKS = (
    names_what_it_is_for,
    prefers_the_right_answer,
    a_score_lies_between_0_and_1,
    the_best_reference_counts,
    unreadable_is_wrong,
    rows_are_plain_numbers_of_one_width,
    the_order_of_records_does_not_matter,
    a_mean_is_the_mean,
)
