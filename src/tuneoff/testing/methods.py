"""What every way to adapt a model must do. A method of your own is tested by

import pytest
from tuneoff.testing.case import Case
from tuneoff.testing.methods import CHECKS

@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_my_method(check, tmp_path):
    check(Case("path/to/mine.py:Mine", folder=tmp_path))

A check that does not concern a kind of method passes it by.
"""

import inspect
import re

from tuneoff.core.errors import ConfigError
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.models.adapt import (
    BaselineMethod,
    CourseMethod,
    Method,
    PromptMethod,
    TrainedMethod,
    WeightMethod,
)
from tuneoff.models.tiny import tiny_model
from tuneoff.testing.adapters import ADAPTER_CHECKS, ARCHITECTURES
from tuneoff.testing.case import CLOSE, TASK, TRAIN, Case

__all__ = ["CHECKS"]


def says_what_it_is(case: Case) -> None:
    """A documented method of a named family; its paper, where it has one, is cited beside its formula."""
    cls = case.cls
    assert issubclass(cls, Method), f"{cls} is no Method"
    assert isinstance(cls.family, str), f"{cls.__name__} has no family"
    assert cls.family, f"{cls.__name__} has an empty family"
    words = _words(cls)
    assert len(words.split()) > 8, f"{cls.__name__} does not say what it is"
    number = re.search(r"\d{4}\.\d{4,5}", cls.paper)
    assert not number or number[0] in words, f"{cls.__name__} has the paper {cls.paper!r} and does not cite it"


def knobs_are_named_and_limited(case: Case) -> None:
    """Each knob has a line of help; a search range holds the default; an unknown knob is an error that names it."""
    for name, knob in case.cls.model_fields.items():
        assert knob.description, f"the knob {name} has no line of help"
    default = case.cls()
    for name, span in case.cls.searched().items():
        value = getattr(default, name)
        numbers = isinstance(value, float) and len(span) == 2
        assert span[0] <= value <= span[1] if numbers else value in span, f"{name} = {value} is outside {span}"
    try:
        case.cls.build({"no_such_knob": 1}, "[methods.x]")
        said = ""
    except ConfigError as error:
        said = str(error)
    assert "'no_such_knob'" in said, "an unknown knob is taken without its name"
    assert "[methods.x]" in said, "an unknown knob is taken without its place"


def its_knobs_survive_writing(case: Case) -> None:
    """What a bundle writes down builds an equal method again."""
    method = case.method()
    assert type(method).build(method.model_dump(mode="json"), "again").model_dump() == method.model_dump()


def learns_at_a_rate_of_its_own(case: Case) -> None:
    if issubclass(case.cls, TrainedMethod):
        assert "lr" in case.cls.model_fields, "a trained method has a knob `lr`"
        assert case.method().lr > 0
        assert "lr" in case.cls.searched(), "`lr` has a range to search in"
        assert case.cls.lr_unit in ("absolute", "embedding")


def names_weights_that_there_are(case: Case) -> None:
    if not issubclass(case.cls, WeightMethod):
        return
    for architecture in ARCHITECTURES:
        net, _ = tiny_model(architecture)
        there = dict(net.named_parameters())
        names = case.method().trainable(net)
        assert names, "no weights to train"
        assert len(set(names)) == len(names)
        assert set(names) <= set(there), f"no such weights: {set(names) - set(there)}"
        assert not any(p.requires_grad for p in there.values()), "naming weights must not set them free"


def chooses_a_prompt_from_what_it_is_shown(case: Case) -> None:
    """The same seed gives the same prompt; records are left alone; demonstrations are training records."""
    if not issubclass(case.cls, PromptMethod):
        return
    method, train = case.method(), list(TRAIN)
    prompts = [method.fit(TASK, train, seed) for seed in (3, 3, 4, 5, 6)]
    assert train == list(TRAIN), "fit changes the training records"
    assert prompts[0] == prompts[1], "the same seed gives another prompt"
    assert (len({repr(prompt) for prompt in prompts}) > 1) == method.random, "`random` is not what fit does"
    assert all(shown in train for shown in prompts[0].demonstrations), "a demonstration is no training record"
    assert Prompt.from_dict(prompts[0].as_dict()) == prompts[0]
    asked = prompts[0].render(Record(fields={"text": "nobody knows"}, target="joy"))
    assert asked[-1].role == "user"
    assert "nobody knows" in asked[-1].content


def gives_each_label_a_probability(case: Case) -> None:
    """A baseline's probabilities lie over the task's labels and sum to 1, for any text at all."""
    if not issubclass(case.cls, BaselineMethod):
        return
    train = list(TRAIN)
    strange = [Record(fields={"text": text}, target="joy") for text in ("", "zzz", "so happy today")]
    rows = case.method().fit(TASK, train, 1)(strange)
    assert train == list(TRAIN), "fit changes the training records"
    assert len(rows) == len(strange)
    for row in rows:
        assert set(row) <= set(TASK.labels), f"labels that the task does not have: {set(row) - set(TASK.labels)}"
        assert all(0 <= p <= 1 for p in row.values())
        assert abs(sum(row.values()) - 1) < CLOSE, "probabilities do not sum to 1"
    assert case.method().fit(TASK, train, 1)(strange) == rows, "the same seed gives other answers"


def trains_another_method_on_records_of_its_own(case: Case) -> None:
    if not issubclass(case.cls, CourseMethod):
        return
    method = case.method()
    assert isinstance(method.update, TrainedMethod)
    records = method.records()
    assert records, "a course without records"
    assert all(record.target for record in records)
    assert all(record.instruction or record.turns for record in records), "a record of a course says what is asked"


CHECKS = (
    says_what_it_is,
    knobs_are_named_and_limited,
    its_knobs_survive_writing,
    learns_at_a_rate_of_its_own,
    names_weights_that_there_are,
    chooses_a_prompt_from_what_it_is_shown,
    gives_each_label_a_probability,
    trains_another_method_on_records_of_its_own,
    *ADAPTER_CHECKS,
)


def _words(cls: type[Method]) -> str:
    """Docstrings of the class, of what it builds on, and of their files."""
    own = [one for one in cls.__mro__ if issubclass(one, Method) and one.__module__ != Method.__module__]
    modules = [inspect.getmodule(one) for one in own]
    return "\n".join(inspect.cleandoc(each.__doc__ or "") for each in (*own, *modules) if each is not None)
