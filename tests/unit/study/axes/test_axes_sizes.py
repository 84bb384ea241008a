"""What of the figures fits into a time, by hand."""

import pytest

from tuneoff.study.axes.sizes import ArmCost, Taken, asked_for, fit_figures, needed
from tuneoff.study.spec import DecisionSpec, MeasureSpec

LORA = ArmCost(record_s=1.0, prompt_s=0.5, drifts=True, learned=True)
PROMPT = ArmCost(record_s=1.0, prompt_s=0.5, drifts=False, learned=False)
NO_LIMIT = DecisionSpec()
FORWARD_S = 0.01
SERVING = 2 * (1.0 + 2 * 0.5)
DRIFT = 4 * 8 * 48 * FORWARD_S
OTHERS = 2 * (1.0 + 17 * 0.5)


def fitted(allowed_s, decision=NO_LIMIT, **asked):
    return fit_figures(MeasureSpec(**asked), decision, [LORA, PROMPT], FORWARD_S, allowed_s)


def records_s(records):
    """lora as asked, in two other wordings and on training records; the prompt without those."""
    return (4 + 3) * (records + 4)


def test_with_enough_time_all_is_taken():
    assert fitted(1e6) == Taken((1, 16), True, 32) == asked_for(MeasureSpec())
    assert fitted(1e6).cut(MeasureSpec()) == ""


@pytest.mark.parametrize(
    ("allowed_s", "taken"),
    [
        (0.0, Taken((), False, 0)),
        (SERVING, Taken((1,), False, 0)),
        (SERVING + DRIFT, Taken((1,), True, 0)),
        (SERVING + DRIFT + records_s(3), Taken((1, 16), True, 0)),
        (SERVING + DRIFT + records_s(9), Taken((1,), True, 9)),
        (SERVING + DRIFT + records_s(32), Taken((1,), True, 32)),
        (SERVING + DRIFT + records_s(32) + OTHERS, Taken((1, 16), True, 32)),
    ],
)
def test_what_matters_most_comes_first_and_records_become_fewer(allowed_s, taken):
    assert fitted(allowed_s + 0.01) == taken


def test_what_is_missing_is_told_with_its_numbers():
    assert Taken((1,), True, 9).cut(MeasureSpec()) == "9 records of 32, no times of 16 requests at once"
    assert Taken((), False, 0).cut(MeasureSpec()) == (
        "no record asked again, no time to answer, no times of 16 requests at once, no drift"
    )
    assert Taken((1,), True, 9).cut(MeasureSpec(records=9, serving=False)) == ""


def test_what_an_arm_is_held_to_is_taken_whatever_it_takes():
    assert fitted(0.0) == Taken((), False, 0)
    assert fitted(0.0, DecisionSpec(max_latency_ms=100.0)) == Taken((1,), False, 0)
    assert fitted(0.0, DecisionSpec(max_forgetting=1.0)) == Taken((), True, 0)
    assert fitted(0.0, DecisionSpec(weights={"latency": 0.1, "forgetting": 1.0})) == Taken((1,), True, 0)


def test_what_is_not_asked_for_is_not_taken():
    nothing = {"serving": False, "retention": False, "rewordings": 0, "memorisation": False}
    assert fitted(1e6, DecisionSpec(max_latency_ms=9.0), **nothing) == Taken((), False, 0)
    assert needed(MeasureSpec(), NO_LIMIT).model_dump() == MeasureSpec(**nothing).model_dump()
    assert needed(MeasureSpec(), DecisionSpec(max_latency_ms=9.0)).serving


def test_what_was_settled_is_read_back():
    taken = fitted(SERVING + DRIFT + records_s(9) + 0.01)
    assert Taken.read(taken.as_json()) == taken
