"""What stands beside the race: its share of the time, and a run without it."""

from contextlib import closing

import pytest
import torch

from conducted import Study, tiny
from tuneoff.study.store import Ledger

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def base():
    return tiny()


FIGURES = {"serving": True, "retention": True, "rewordings": 1, "memorisation": True, "records": 8}


def figures_of(run):
    with closing(Ledger(run / "ledger.sqlite")) as ledger:
        return {row.name for row in ledger.axes() if row.value is not None}


def test_quick_is_the_race_alone_and_a_later_run_takes_the_rest(base, tmp_path):
    study = Study(tmp_path, base)
    quick = study.conduct(("zero_shot", "lora"), quick=True, measure=FIGURES)
    assert study.told.phases[0] == (
        "quick: no recommendation before training, and no latency, drift, robustness and memorisation; "
        "a run without --quick takes them"
    )
    assert not any("recommendation" in phase or "latency" in phase for phase in study.told.phases[1:])
    assert not (study.run / "advice.json").exists()
    assert figures_of(study.run) == set()
    again = study.conduct(("zero_shot", "lora"), quick=True, measure=FIGURES)
    assert (study.opened, again) == (1, quick)
    whole = study.conduct(("zero_shot", "lora"), measure=FIGURES)
    assert study.told.jobs == []
    assert {"first_token_ms_1", "first_token_ms_16", "retention_drift", "reworded", "memorised"} <= figures_of(
        study.run
    )
    assert [row.mean for row in whole.standings] == [row.mean for row in quick.standings]


def test_quick_keeps_what_arms_are_held_to(base, tmp_path):
    study = Study(tmp_path, base)
    study.conduct(("zero_shot", "lora"), quick=True, measure=FIGURES, decision={"max_latency_ms": 1e6})
    assert study.told.phases[0].startswith(
        "quick: no recommendation before training, and no latency, drift, robustness and memorisation, "
        "but for serving, which [decision] asks for"
    )
    assert figures_of(study.run) >= {"first_token_ms_1"}
    assert "retention_drift" not in figures_of(study.run)


def test_what_stands_beside_a_race_keeps_its_share(base, tmp_path):
    """Of a race of a few seconds, a tenth of a thousandth is nothing."""
    study = Study(tmp_path, base)
    study.conduct(("zero_shot", "lora"), measure={**FIGURES, "share": 1e-4})
    phases = study.told.phases
    assert "no recommendation before training: the study is too short for it (tuneoff plan gives one)" in phases
    assert (
        "latency, drift, robustness, memorisation: no record asked again, no time to answer, no times of 16 "
        "requests at once, no drift, to take at most 0 % of the time ([measure] share)"
    ) in phases
    assert figures_of(study.run) == set()
