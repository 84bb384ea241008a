"""A study whose machine is much faster than was measured: what its budget has left is used, and is written down."""

import json

import torch

from conducted import Study, tiny
from made_rates import made_rates
from tuneoff.report.folder import open_ledger
from tuneoff.study.budget.correction import CORRECTION, Correction

torch.set_num_threads(1)
ARMS = ("zero_shot", "lora")


def corrections(study):
    ledger = open_ledger(study.run)
    events = ledger.events()
    ledger.close()
    told = [Correction(**json.loads(event["detail"])) for event in events if event["what"] == CORRECTION]
    return told, [event["what"] for event in events]


def test_time_that_is_left_buys_trials_before_the_test_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr("tuneoff.study.budget.budgeted.measure_rates", lambda plan, *_, **__: made_rates(plan))
    study = Study(tmp_path, tiny())
    study.conduct(ARMS, budget="4m")
    (grown, *_), whats = corrections(study)
    assert grown.trials > 1
    assert any(grown.why in phase for phase in study.told.phases)
    assert whats.index(CORRECTION) < whats.index("tested")
    assert {trial for arm, trial, _ in study.jobs() if arm == "lora"} >= set(range(grown.trials))
    attempts = study.attempts()
    study.conduct(ARMS, budget="4m")
    assert study.attempts() == attempts, "the second time nothing is left to do"
