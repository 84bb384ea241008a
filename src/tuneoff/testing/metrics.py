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
UNLIKE = (
    ("35", "3.5"),
    ("5", "-5"),
    ("1e5", "1e-5"),
    ("5", "5%"),
    ("5", "$5"),
    ("<30", ">30"),
    ("C", "C++"),
    ("C", "C#"),
)
HALVES = (
    ("the weather was good", "the weather was bad"),
    ("今天天气很好", "今天天气很坏"),
    ("今日は天気がいい", "今日は天気が悪い"),
    ("วันนี้อากาศดี", "วันนี้อากาศร้อน"),
    ("ថ្ងៃនេះអាកាសធាតុល្អ", "ថ្ងៃនេះអាកាសធាតុក្តៅ"),
)


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


def other_numbers_and_signs_are_no_right_answers(metric: Metric) -> None:
    """35 is not 3.5, and C is not C++, whatever a metric does with punctuation."""
    if metric.up and "text" in metric.kinds:
        for pair in (*UNLIKE, *(pair[::-1] for pair in UNLIKE)):
            assert _score(metric, *pair) < 1, f"{metric.name} takes {pair[0]} for {pair[1]}"


def scripts_without_spaces_have_words(metric: Metric) -> None:
    """Who gives half a right answer in English some credit gives it in every script, and no more."""
    if not metric.up or "text" not in metric.kinds:
        return
    english, *others = (_score(metric, *pair) for pair in HALVES)
    if 0 < english < 1:
        assert all(0 < score < 1 for score in others)
    for said, _ in HALVES:
        assert math.isclose(_score(metric, said, said), 1.0)


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


def _score(metric: Metric, said: str, wanted: str) -> float:
    return _pooled(metric, [Answer(text=said)], [Record(fields={"text": "case"}, target=wanted)], TEXT)


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
    other_numbers_and_signs_are_no_right_answers,
    scripts_without_spaces_have_words,
    unreadable_is_wrong,
    rows_are_plain_numbers_of_one_width,
    the_order_of_records_does_not_matter,
    a_mean_is_the_mean,
)
