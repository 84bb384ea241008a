"""A study whose jobs wait at rungs: what goes on, what is left behind, what it spends, and how it survives a kill."""

import shutil

import pytest
import torch

from conducted import Study, Told, tiny
from tiny_study import standings
from tuneoff.engine.learner import Learner
from tuneoff.study.store import Ledger

torch.set_num_threads(1)
ARMS = ("zero_shot", "lora")
FOUR = {"trials": 4, "train": {"epochs": 3.0, "checks": 4}}  # nine steps, checks at 1, 3, 6, 9
BEHIND = "not pursued: not among the best 2 of its trials at rung 1"


class Killed(BaseException):
    """Stands for kill -9: nothing in the study catches it."""


class Raced(Study):
    """Four trials of lora; its watch also looks at what lies aside while a job is left behind."""

    def conduct(self, arms=ARMS, **more):
        return super().conduct(arms, **{**FOUR, **more})

    def watch(self):
        return Looking(self.run / "aside")

    def places(self, **wanted):
        rows = self.jobs().items()
        return [place for place, row in rows if all(row[name] == value for name, value in wanted.items())]

    def of_lora(self):
        return {place[1:]: row for place, row in self.jobs().items() if place[0] == "lora"}

    def told_by(self, what):
        """What a reader of the ledger gives, without what no two runs share."""
        ledger = Ledger(self.run / "ledger.sqlite")
        try:
            return what(ledger)
        finally:
            ledger.close()


class Looking(Told):
    def __init__(self, aside):
        super().__init__()
        self.aside, self.lying = aside, []

    def dropped(self, label, why):
        super().dropped(label, why)
        self.lying.append(len(list(self.aside.iterdir())))


def outcomes(ledger):
    return ledger.outcomes(split="validation") + ledger.outcomes(split="test")


def ends(ledger):
    rows = [(row.arm, row.trial, row.seed, row.status, row.rung, row.why, row.tested) for row in ledger.jobs()]
    return sorted(rows), [(p.job, p.step, p.train_loss, p.value) for p in ledger.points()]


def tokens(ledger):
    return sum(row.cost.train_tokens for row in ledger.jobs())


def steps_run(ledger):
    """Optimiser steps of each job of lora, by trial and seed."""
    keys = {row.key: (row.trial, row.seed) for row in ledger.jobs() if row.arm == "lora"}
    last = {}
    for point in ledger.points():
        last[keys[point.job]] = point.step
    return last


@pytest.fixture(scope="module")
def base():
    return tiny()


@pytest.fixture(scope="module")
def raced(base, tmp_path_factory):
    """A finished study with four trials; tests copy it."""
    study = Raced(tmp_path_factory.mktemp("raced"), base)
    study.verdict = study.conduct()
    return study


@pytest.fixture(scope="module")
def full(base, tmp_path_factory):
    study = Raced(tmp_path_factory.mktemp("full"), base)
    study.verdict = study.conduct(race="full")
    return study


@pytest.fixture
def study(raced, tmp_path):
    """The finished study in a folder of its own."""
    copy = Raced(tmp_path, raced.base)
    shutil.copytree(raced.run, copy.run)
    return copy


def test_of_four_trials_two_come_to_the_end_and_one_gets_the_other_seed(raced):
    rows = raced.of_lora()
    assert {row["attempts"] for row in rows.values()} == {1}
    ends = [(row["status"], row["rung"], row["why"]) for (_, seed), row in rows.items() if seed == 0]
    assert sorted(ends) == sorted([("dropped", 1, BEHIND)] * 2 + [("done", 3, "")] * 2)
    (chosen,) = [trial for trial, seed in rows if seed == 1]
    assert rows[chosen, 0]["status"] == "done"
    assert sorted(raced.told_by(steps_run).values()) == [1, 1, 9, 9, 9]
    assert [place[1:] for place in raced.places(arm="lora", tested=1)] == [(chosen, 0), (chosen, 1)]


def test_the_best_two_of_the_first_rung_go_on(raced):
    """By the probability of the right label, from the ledger alone."""

    def means(ledger):
        keys = {row.key: row for row in ledger.jobs() if row.arm == "lora" and row.seed == 0}
        rows = ledger.outcomes(split="validation", metric="nll", step=1)
        found = {key: [torch.tensor(-o.stats[0]).exp() for o in rows if o.job == key] for key in keys}
        return {(keys[key].trial, keys[key].rung): float(sum(p) / len(p)) for key, p in found.items()}

    found = raced.told_by(means)
    ranked = sorted(found, key=lambda place: -found[place])
    assert [rung > 1 for _, rung in ranked] == [True, True, False, False]


def test_labels_tell_the_rung_and_the_watch_what_is_left_behind(raced):
    fitted = [label for label in raced.told.jobs if label.startswith("lora")]
    assert fitted[:2] == ["lora, seed 1 (stage 1 of 3)", "lora, trial 2, seed 1 and 2 more (stage 1 of 3)"]
    assert [label.rpartition("stage ")[2][0] for label in fitted if "(stage " in label] == ["1", "1", "2"]
    figures = [figure for label, figure in raced.told.figures.items() if label.startswith("lora")]
    assert len(figures) == 4 + 2 + 2 + 1
    assert all(0 <= figure <= 1 for figure in figures), "accuracies"
    assert sorted(raced.told.left.values()) == [BEHIND] * 2


def test_what_is_left_behind_leaves_nothing_aside(raced):
    assert raced.told.lying == [3, 2]
    assert not (raced.run / "aside").exists()


def test_rungs_spend_less_than_a_full_race(raced, full):
    assert sorted(full.told_by(steps_run).values()) == [9] * 5
    assert raced.told_by(tokens) < 0.7 * full.told_by(tokens)


def test_a_full_race_leaves_nobody_behind(full):
    assert full.told.left == {}
    assert {row["status"] for row in full.jobs().values()} == {"done"}
    assert not any("(stage" in label for label in full.told.jobs)
    seconds = {trial for trial, seed in full.of_lora() if seed == 1}
    assert len(seconds) == 1


def test_the_verdict_counts_what_was_tried(raced):
    row = next(s for s in raced.verdict.standings if s.arm == "lora")
    assert (row.status, row.trials, row.seeds) == ("tested", 4, 2)


def beaten(differences, alpha):
    """Stands for evidence: who is behind at all is beaten."""
    return float(differences.mean() > 0)


def test_the_verdict_lists_what_was_shown_to_be_worse(base, tmp_path, monkeypatch):
    monkeypatch.setattr("tuneoff.study.race.separated", beaten)
    study = Raced(tmp_path, base)
    verdict = study.conduct(("lora", "ia3"), trials=1)
    rows = {s.arm: s for s in verdict.standings}
    (gone,) = [arm for arm in ("lora", "ia3") if rows[arm].status == "dropped"]
    (kept,) = {"lora", "ia3"} - {gone}
    assert rows[gone].why == f"stopped early: behind {kept} on validation at rung 1"
    assert (rows[gone].mean, rows[kept].status) == (None, "tested")
    assert [(change.arm, change.detail) for change in verdict.changes if change.kind == "dropped"] == [
        (gone, rows[gone].why)
    ]
    assert f"{gone} (stopped early, no claim is made: {rows[gone].why})" in verdict.reason


def test_an_arm_that_is_beaten_at_the_end_is_not_tested_and_says_why(base, tmp_path, monkeypatch):
    def beaten_at_the_end(differences, alpha):
        """Only accuracies differ by whole numbers."""
        return float(set(differences.tolist()) <= {-1.0, 0.0, 1.0})

    monkeypatch.setattr("tuneoff.study.race.separated", beaten_at_the_end)
    study = Raced(tmp_path, base)
    rows = {s.arm: s for s in study.conduct(("lora", "ia3", "soft_prompt"), trials=1).standings}
    (gone,) = [arm for arm in ("lora", "ia3") if rows[arm].mean is None]
    assert rows[gone].status == "not tested"
    assert rows[gone].why.startswith("worse on validation than ")
    (kept,) = {"lora", "ia3"} - {gone}
    behind = [arm for arm in (kept, "soft_prompt") if rows[arm].seeds == 1]
    assert all("1 further seed was not run, one seed is enough: worse" in rows[arm].why for arm in behind)
    assert len(behind) >= 1, "the best of its family goes on with one seed"
    study.conduct(("lora", "ia3", "soft_prompt"), trials=1)
    assert study.told.left == {}, "told once"


def test_a_finished_study_does_nothing_more(study, raced):
    assert study.conduct() == raced.verdict
    assert (study.told.jobs, study.told.left) == ([], {})


def test_an_added_arm_runs_nothing_else_anew(study, raced):
    before = {place: (row["status"], row["attempts"], row["rung"]) for place, row in raced.jobs().items()}
    study.conduct((*ARMS, "ia3", "soft_prompt"))
    after = {place: (row["status"], row["attempts"], row["rung"]) for place, row in study.jobs().items()}
    assert {place: after[place] for place in before} == before
    assert {place[0] for place in after.keys() - before.keys()} == {"ia3", "soft_prompt"}
    assert len({trial for arm, trial, _ in after if arm == "soft_prompt"}) == 4


def test_a_full_race_brings_up_what_rungs_left_behind(study, full):
    study.conduct(race="full")
    rows = study.of_lora()
    assert {row["status"] for row in rows.values()} == {"done"}
    assert sorted(row["attempts"] for row in rows.values())[:2] == [1, 1]
    one, other = (
        {row["key"]: row["status"] for row in each.of_lora().values() if row["seed"] == 0} for each in (study, full)
    )
    assert one == other


def killed_every(calls, monkeypatch, target, name):
    """Each so many calls of a method the process dies, before the call does anything."""
    method, count = getattr(target, name), 0

    def dying(self, *words):
        nonlocal count
        count += 1
        if count % calls == 0:
            raise Killed
        return method(self, *words)

    monkeypatch.setattr(target, name, dying)


def conducted_at_last(study):
    """Start until it ends. Returns how often it was started, and the training steps of all starts."""
    starts, ticks = 0, 0
    while True:
        starts += 1
        assert starts < 60
        try:
            study.conduct()
            return starts, ticks + trained(study.told)
        except Killed:
            ticks += trained(study.told)


def trained(told):
    return sum(value is None for _, _, value in told.steps)


def same_ends(study, raced):
    assert study.told_by(outcomes) == raced.told_by(outcomes)
    assert study.told_by(ends) == raced.told_by(ends)
    assert standings(study.run) == standings(raced.run)


def test_killed_between_the_steps_of_the_race_it_trains_nothing_twice(base, raced, tmp_path, monkeypatch):
    study = Raced(tmp_path, base)
    killed_every(9, monkeypatch, Ledger, "note")
    starts, ticks = conducted_at_last(study)
    assert starts > 2
    assert ticks == trained(raced.told)
    same_ends(study, raced)


def test_killed_within_training_it_goes_on_from_the_last_check(base, raced, tmp_path, monkeypatch):
    study = Raced(tmp_path, base)
    killed_every(8, monkeypatch, Learner, "step_on")
    starts, ticks = conducted_at_last(study)
    assert starts > 3
    assert ticks > trained(raced.told), "what came behind the last check is lost"
    same_ends(study, raced)
    waited = [row for row in study.of_lora().values() if row["rung"] == 1]
    assert len(waited) == 2
