"""The schedule that all trained arms share: rates, checks, and the steps at which its rungs are reached."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tiny_arms import made_adapter, tiny_base
from tuneoff.core.rungs import LAST, RUNGS
from tuneoff.engine.learner import Group, Learner
from tuneoff.engine.schedule import Schedule


def test_rates_rise_and_then_fall_to_a_tenth():
    schedule = Schedule(warmup=0.1)
    rates = [schedule.rate(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.1 + 0.9 * 0.5)
    assert rates[99] == pytest.approx(0.1 + 0.45 * (1 + math.cos(math.pi * 89 / 90)))
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert Schedule(warmup=0.0).rate(0, 5) == 1.0
    assert Schedule().rate(0, 1) == 1.0


@pytest.mark.parametrize(
    ("schedule", "records", "steps", "checks"),
    [
        (Schedule(epochs=2, batch_size=8, checks=4), 160, 40, [4, 13, 27, 40]),
        (Schedule(epochs=2, batch_size=8, checks=3), 160, 40, [4, 13, 40]),
        (Schedule(epochs=2, batch_size=8, checks=7), 160, 40, [4, 13, 19, 24, 29, 35, 40]),
        (Schedule(epochs=0.5, batch_size=8, checks=2), 160, 10, [3, 10]),
        (Schedule(epochs=0.5, batch_size=8, checks=1), 160, 10, [10]),
        (Schedule(epochs=1, batch_size=8, checks=4), 3, 1, [1]),
        (Schedule(epochs=0.01, batch_size=8, checks=4), 3, 1, [1]),
        (Schedule(epochs=1, batch_size=2, checks=4), 5, 3, [1, 2, 3]),
    ],
)
def test_steps_and_checks_of_a_schedule(schedule, records, steps, checks):
    assert schedule.steps(records) == steps
    assert schedule.check_steps(records) == checks


def test_late_checks_choose_what_is_kept():
    assert Schedule(epochs=2, batch_size=8, checks=4).late_steps(160) == [27, 40]
    assert Schedule(epochs=2, batch_size=8, checks=3).late_steps(160) == [40]
    assert Schedule(epochs=2, batch_size=8, checks=1).late_steps(160) == [40]
    assert Schedule(epochs=1, batch_size=8, checks=4).late_steps(3) == [1]


SCHEDULES = st.builds(
    Schedule,
    epochs=st.floats(0.01, 9.0),
    batch_size=st.integers(1, 64),
    checks=st.integers(1, 40),
)


@given(SCHEDULES, st.integers(1, 5000))
def test_checks_rise_to_the_last_step(schedule, records):
    steps, checks = schedule.steps(records), schedule.check_steps(records)
    assert checks[0] >= 1
    assert all(a < b for a, b in pairwise(checks))
    assert checks[-1] == steps
    assert len(checks) <= schedule.checks
    late = schedule.late_steps(records)
    assert checks[-len(late) :] == late
    if steps > 20 * schedule.checks:  # no two of them fall on one step
        assert len(checks) == schedule.checks


@given(SCHEDULES, st.integers(1, 5000))
def test_a_rung_is_reached_at_a_check(schedule, records):
    steps = schedule.steps(records)
    reached = [schedule.rung_step(records, rung) for rung in range(1, LAST + 1)]
    assert set(reached) <= set(schedule.check_steps(records))
    assert reached == sorted(reached)
    assert reached[-1] == steps
    if schedule.checks >= len(RUNGS):  # each rung has a check of its own
        assert reached == [max(1, round(steps * share)) for share in RUNGS]


@pytest.mark.parametrize(("checks", "reached"), [(1, [40, 40, 40]), (2, [13, 13, 40]), (3, [4, 13, 40])])
def test_with_few_checks_the_rungs_fall_together(checks, reached):
    schedule = Schedule(epochs=2, batch_size=8, checks=checks)
    assert [schedule.rung_step(160, rung) for rung in range(1, LAST + 1)] == reached


@pytest.mark.parametrize("name", ["prefix", "lora"])
def test_a_learner_that_is_read_back_goes_on_as_it_was(tmp_path, name):
    """Moments lie in memory as their parameters do: the fused optimiser walks it as it lies."""

    def learner():
        base = tiny_base(dtype=torch.float32)
        adapter = made_adapter(base, name, nudge=0.0)
        named = {f"{at}/{key}": p for at, own in adapter.tensors.items() for key, p in own.items()}
        return Learner([Group(named, 0.01)], Schedule(), 40)

    def step(learner, at):
        gen = torch.Generator().manual_seed(at)
        learner.begin()
        for p in learner.parameters.values():
            p.grad = torch.randn(p.shape, generator=gen)
        learner.step_on(0.0)

    whole, broken, other = learner(), learner(), learner()
    for at in range(6):
        step(whole, at)
    for at in range(3):
        step(broken, at)
    broken.save(tmp_path / "aside")
    other.load(tmp_path / "aside")
    for at in range(3, 6):
        step(other, at)
    assert all(torch.equal(p, other.parameters[key]) for key, p in whole.parameters.items())
