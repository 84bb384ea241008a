"""A study on paper: a real plan of a few records, and rates with numbers that can be added up by hand."""

from pathlib import Path

from tiny_study import put_rows, rows, table
from tuneoff.study.budget.rates import ArmRate, Rates, rate_key
from tuneoff.study.plan import Plan, make_plan
from tuneoff.study.spec import StudySpec

TRAINED = {"records": (24,), "tokens": (10.0,), "peak_bytes": 10**9}
RATES = {
    "majority": ArmRate(start_s=0.5, open_s=0.25),
    "tfidf": ArmRate(start_s=1.5, open_s=1.0),
    "linear_probe": ArmRate(),  # always there; the sums of the tests are of the others
    "zero_shot": ArmRate(start_s=1.0, keep_s=0.5, open_s=0.5, shared_s=3.0, record_s=0.0, first_s=0.25),
    "lora": ArmRate(
        **TRAINED, token_s=(0.5,), start_s=2.0, aside_s=1.0, keep_s=3.0, open_s=4.0, shared_s=5.0, record_s=0.5
    ),
    "ia3": ArmRate(**TRAINED, token_s=(0.25,), start_s=2.0, record_s=0.5),
    "soft_prompt_after": ArmRate(**TRAINED, token_s=(0.125,), start_s=2.0, record_s=0.25, shared_s=3.0, first_s=0.25),
}


def made_plan(folder: Path, *arms: str, **more) -> Plan:
    """24 records to learn from in 3 steps of 8, checked behind steps 1 and 3; 12 to choose on; 20 to test on."""
    put_rows(folder / "data.jsonl", rows())
    nothing = {"serving": False, "retention": False, "rewordings": 0, "memorisation": False}
    whole = {**table(arms, measure=nothing), **more, "folder": str(folder)}
    return make_plan(StudySpec.build(whole, "study.toml"))


def made_rates(plan: Plan, **more: float) -> Rates:
    """The rates above, of this plan's arms; 20 s before the race."""
    arms = {rate_key(arm): RATES[arm.name.removesuffix(" (calibrated)")] for arm in plan.arms}
    return Rates(**{"arms": arms, "before_s": 12.0, "took_s": 8.0, "forward_s": 0.01, **more})
