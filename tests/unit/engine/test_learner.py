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


def test_the_rate_rises_and_stays():
    schedule = Schedule(epochs=100, batch_size=1, warmup=0.1)
    rates = [schedule.rate(step, 1) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10:] == [1.0] * 90


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
def test_training_ends_behind_the_early_rungs_and_at_the_cap_at_the_latest(schedule, records):
    first, last = schedule.first_end(records), schedule.last_end(records)
    assert first == schedule.rung_step(records, LAST - 1)
    assert first <= last <= schedule.steps(records)
    if schedule.until == 1.0:
        assert last == schedule.steps(records)


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
    assert all(torch.equal(average, other.average[key]) for key, average in whole.average.items())


def learning(value=0.0):
    """One number that learns."""
    number = torch.nn.Parameter(torch.tensor([value]))
    return number, Learner([Group({"number": number}, 1.0)], Schedule(), 40)


def test_the_average_is_that_of_the_paper_and_forgets_the_beginning():
    number, learner = learning()
    average = 0.0
    for step in range(1, 41):
        number.data.fill_(float(step))
        number.grad = torch.zeros(1)
        learner.optimiser.param_groups[0]["lr"] = 0.0
        learner.step_on(0.0)
        average += 10 / (step + 9) * (step - average)
        assert float(learner.average["number"]) == pytest.approx(average, rel=1e-5)
    assert 35 < average < 38, "about the last tenth"


def test_while_the_average_is_worn_the_values_wait_and_come_back():
    number, learner = learning(5.0)
    number.grad = torch.zeros(1)
    learner.step_on(0.0)
    learner.average["number"].fill_(2.0)
    with learner.averaged():
        assert float(number.detach()) == 2.0
    assert float(number.detach()) == 5.0
    assert float(learner.average["number"]) == 2.0
