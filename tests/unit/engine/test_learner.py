"""What learns, and the schedule that all trained arms share: rates, checks, rungs, and where it ends."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tiny_arms import made_adapter, tiny_base
from tuneoff.core.rungs import LAST, RUNGS
from tuneoff.engine.learner import Group, Learner
from tuneoff.engine.schedule import Schedule, cap_epochs


def test_the_rate_rises_stays_and_falls_by_a_root():
    schedule = Schedule(epochs=100, batch_size=1, warmup=0.1)
    rates = [schedule.rate(step, 1, 60) for step in range(75)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10:60] == [1.0] * 50
    assert rates[60:] == pytest.approx([1 - (at / 16) ** 0.5 for at in range(1, 16)])
    assert schedule.end(1, 60) == 75, "a fifth of all steps"
    assert schedule.rate(99, 1, None) == 1.0


@pytest.mark.parametrize(
    ("records", "passes"), [(4, 320), (50, 25.6), (160, 16), (200, 16), (400, 8), (1000, 3.2), (10_000, 3)]
)
def test_few_records_are_seen_more_often(records, passes):
    assert cap_epochs(records) == passes


SCHEDULES = st.builds(
    Schedule,
    epochs=st.floats(0.01, 40.0),
    batch_size=st.integers(1, 64),
    checks=st.integers(1, 40),
    until=st.floats(0.01, 1.0),
)


@given(SCHEDULES, st.integers(1, 5000))
def test_checks_rise_to_the_last_step_and_stand_at_the_rungs(schedule, records):
    steps, checks = schedule.steps(records), schedule.check_steps(records)
    assert checks[0] >= 1
    assert all(a < b for a, b in pairwise(checks))
    assert checks[-1] == steps
    reached = [schedule.rung_step(records, rung) for rung in range(1, LAST + 1)]
    assert set(reached) <= set(checks)
    assert reached == [max(1, round(steps * share)) for share in RUNGS]


@given(SCHEDULES, st.integers(1, 5000))
def test_the_decay_begins_behind_the_early_rungs_and_ends_at_the_cap_at_the_latest(schedule, records):
    steps, rung = schedule.steps(records), schedule.rung_step(records, LAST - 1)
    first, last = schedule.first_decay(records), schedule.last_decay(records)
    assert 1 <= first <= last <= max(1, steps - 1)
    for start in (first, last):
        assert min(start + 1, steps) <= schedule.end(records, start) <= steps
    if rung < steps:
        assert first == rung
    if schedule.until == 1.0 and steps > 20:
        assert schedule.end(records, last) >= 0.95 * steps


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
