"""Settings: unknown keys with the nearest name, values out of range, tables inside tables."""

import pytest
from pydantic import Field, ValidationError

from tuneoff.core.config import Knobs, knob
from tuneoff.core.errors import ConfigError


class Inner(Knobs):
    epochs: float = knob(2.0, "passes over the records", gt=0)
    batch_size: int = knob(8, "records per step", ge=1)


class Outer(Knobs):
    lr: float = knob(1e-3, "peak learning rate", gt=0, search=(1e-4, 1e-2))
    targets: list[str] = knob(["q", "v"], "roles")
    width: int = knob(4, "one of some", search=(2, 4, 8))
    train: Inner = Field(default_factory=Inner)


def message(table, cls=Outer):
    with pytest.raises(ConfigError) as caught:
        cls.build(table, "study.toml [x]")
    return str(caught.value)


def test_defaults_and_values():
    made = Outer.build({"lr": 0.5, "train": {"epochs": 1}}, "here")
    assert (made.lr, made.targets, made.train.epochs, made.train.batch_size) == (0.5, ["q", "v"], 1.0, 8)


def test_unknown_key_names_the_nearest_and_all_allowed():
    assert message({"lrr": 1}).splitlines() == [
        "unknown key 'lrr'",
        "  where:   study.toml [x]",
        "  allowed: lr, targets, train, width",
        "  fix:     did you mean 'lr'?",
    ]


def test_unknown_key_in_an_inner_table():
    said = message({"train": {"epoch": 3}})
    assert "unknown key 'train.epoch'" in said
    assert "allowed: batch_size, epochs" in said
    assert "did you mean 'epochs'?" in said


def test_unknown_key_like_no_other():
    assert "remove it, or see the allowed names" in message({"qqqqqqq": 1})


def test_value_out_of_range_says_what_was_found_and_what_it_is():
    assert message({"lr": -1}).splitlines() == [
        "lr: input should be greater than 0",
        "  where:   study.toml [x]",
        "  found:   -1",
        "  allowed: peak learning rate",
        "  fix:     change lr in study.toml [x]",
    ]


def test_inner_value_out_of_range():
    said = message({"train": {"batch_size": 0}})
    assert said.startswith("train.batch_size: input should be greater than or equal to 1")
    assert "found:   0" in said


def test_wrong_type():
    assert "lr: input should be a valid number" in message({"lr": "fast"})


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Outer().lr = 2.0


def test_a_list_default_is_nobody_elses():
    first = Outer()
    first.targets.append("o")
    assert Outer().targets == ["q", "v"]


def test_searched_names_the_ranges_only():
    assert Outer.searched() == {"lr": [1e-4, 1e-2], "width": [2, 4, 8]}
