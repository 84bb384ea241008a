"""Measured factors made by hand: a choice of four labels, 400 records; nothing about them is striking."""

from dataclasses import replace

from tuneoff.study.advice.factors import Alignment, Compared, Compute, CurvePoint, Estimate, Factors, Prompted, Quantity
from tuneoff.study.advice.factors import Uniqueness as Unique

FAMILIES = {
    "majority": "baseline",
    "zero_shot": "prompting",
    "few_shot": "prompting",
    "soft_prompt_after": "prompt tuning",
    "lora": "parameter-efficient fine-tuning",
}


def estimate(value: float, half: float = 0.05, n: int = 64) -> Estimate:
    return Estimate(value, value - half, value + half, n)


def compared(own: float, general: float) -> Compared:
    return Compared(estimate(own), estimate(general), estimate(own - general))


def prompted(arm: str, score: float, over_majority: float = 0.2, over_words: float = -0.1) -> Prompted:
    return Prompted(
        arm=arm, score=estimate(score), over_majority=estimate(over_majority), over_words=estimate(over_words)
    )


def uniqueness(**more) -> Unique:
    table = {
        "metric": "accuracy",
        "prompts": (prompted("zero_shot", 0.5), prompted("few_shot", 0.6)),
        "chance": 0.25,
        "majority": estimate(0.4),
        "majority_label": "anger",
        "words": estimate(0.7),
        "words_over_majority": estimate(0.3),
    }
    return Unique(**{**table, **more})


def quantity(**more) -> Quantity:
    curve = tuple(CurvePoint(records, estimate(score)) for records, score in ((100, 0.6), (200, 0.68), (400, 0.7)))
    table = {
        "records": 400,
        "duplicates": 3,
        "classes": 4,
        "smallest": 60,
        "smallest_label": "optimism",
        "curve": curve,
    }
    return Quantity(**{**table, "rise": estimate(0.02), **more})


def factors(**more) -> Factors:
    table = {
        "kind": "choice",
        "families": FAMILIES,
        "parameters": 2_000_000_000,
        "alignment": Alignment(inputs=compared(1.3, 1.2), answers=compared(0.9, 1.0)),
        "uniqueness": uniqueness(),
        "quantity": quantity(),
        "compute": Compute(
            best_s=500.0, worst_s=900.0, peak_bytes=10**9, arms={"zero_shot": 100.0, "lora": 400.0, "soft": 400.0}
        ),
    }
    return Factors(**{**table, **more})


def written(**more) -> Factors:
    """The same for free text."""
    prompts = (
        Prompted(arm="zero_shot", score=estimate(0.5, n=10)),
        Prompted(arm="few_shot", score=estimate(0.6, n=10)),
    )
    table = {
        "kind": "text",
        "uniqueness": Unique(metric="token_f1", prompts=prompts),
        "quantity": Quantity(records=400, duplicates=0),
        "alignment": Alignment(inputs=compared(1.3, 1.2), answers=compared(1.0, 1.0)),
    }
    return replace(factors(), **{**table, **more})
