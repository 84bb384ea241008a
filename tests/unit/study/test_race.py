"""The race is a function of rows: rung by rung, then seeds, then the test once."""

from dataclasses import replace

import pytest

from tuneoff.core.rungs import LAST
from tuneoff.study.outcome import JobRow
from tuneoff.study.race import Entry, Seen, _Race, next_step

RECORDS = [f"{number:03}" for number in range(100)]


def scores(right):
    """`right` of 100 records answered rightly, the first ones."""
    return {record: float(at < right) for at, record in enumerate(RECORDS)}


def paused(arm, trial=0, **right):
    """A job that waits at the highest rung it has scores of: r1 = 50 is 50 right at rung 1."""
    at = {int(name[1:]): scores(count) for name, count in right.items()}
    row = JobRow(key=f"{arm}/{trial}/0", arm=arm, trial=trial, seed=0, status="paused", rung=max(at, default=0))
    return Seen(row, at, None)


def done(arm, trial=0, seed=0, right=50, tie=0.0, tested=False, **early):
    at = {int(name[1:]): scores(count) for name, count in early.items()} | {LAST: scores(right)}
    row = JobRow(key=f"{arm}/{trial}/{seed}", arm=arm, trial=trial, seed=seed, status="done", tested=tested, rung=LAST)
    return Seen(row, at, (right / 100, tie))


def failed(arm, trial=0, seed=0):
    return Seen(JobRow(key=f"{arm}/{trial}/{seed}", arm=arm, trial=trial, seed=seed, status="failed"), {}, None)


def lora(**knobs):
    return Entry("lora", "peft", **{"trials": 6, "seeds": 2, "share": 6} | knobs)


ZERO = Entry("zero_shot", "prompting", 1, 1, paused=False)
SOFT = Entry("soft", "tuning", 1, 2)
IA3 = Entry("ia3", "peft", 6, 2, share=6)


def places(step):
    return [place for place, _ in step.fit]


def test_first_the_defaults_of_every_arm_to_the_first_rung():
    step = next_step([ZERO, lora()], [])
    assert step.fit == ((("zero_shot", 0, 0), LAST), (("lora", 0, 0), 1))
    assert (step.test, step.dropped) == ((), ())


def test_then_what_is_left_of_a_familys_trials_goes_to_its_leader():
    rows = [paused("lora", r1=40), paused("ia3", r1=60)]
    assert places(next_step([lora(), IA3], rows)) == [("ia3", trial, 0) for trial in (1, 2, 3, 4)]
    rows = [paused("lora", r1=60), paused("ia3", r1=40)]
    assert places(next_step([lora(), IA3], rows)) == [("lora", trial, 0) for trial in (1, 2, 3, 4)]


def test_every_family_gets_the_same_number_of_trials():
    entries = [lora(share=4), IA3._replace(share=4), SOFT._replace(trials=6, share=4)]
    rows = [paused("lora", r1=60), paused("ia3", r1=40), paused("soft", r1=20)]
    asked = places(next_step(entries, rows))
    assert [place for place in asked if place[0] == "soft"] == [("soft", trial, 0) for trial in (1, 2, 3)]
    assert [place for place in asked if place[0] != "soft"] == [("lora", trial, 0) for trial in (1, 2)]


def test_a_twin_takes_nothing_from_its_familys_share():
    few = Entry("few", "prompting", 4, 1, share=4, paused=False)
    twin = few._replace(arm="few (calibrated)", follows=True)
    rows = [done("few", right=40), done("few (calibrated)", right=60)]
    assert places(next_step([few, twin], rows)) == [("few (calibrated)", trial, 0) for trial in (1, 2, 3)]


def test_a_family_whose_leader_has_no_further_settings_gives_them_to_the_next():
    rows = [done("zero_shot", right=60), done("few", right=40)]
    few = Entry("few", "prompting", 4, 1, share=4, paused=False)
    assert places(next_step([ZERO._replace(share=4), few], rows)) == [("few", 1, 0), ("few", 2, 0)]


def test_the_best_third_of_a_methods_trials_goes_on_and_never_fewer_than_two():
    rows = [paused("lora", trial, r1=right) for trial, right in enumerate((30, 70, 20, 60, 50, 40))]
    step = next_step([lora()], rows)
    assert step.fit == ((("lora", 1, 0), 2), (("lora", 3, 0), 2))
    assert [drop.place for drop in step.dropped] == [("lora", trial, 0) for trial in (4, 5, 0, 2)]
    assert step.dropped[0].why == "not pursued: not among the best 2 of its trials at rung 1"
    rows[1], rows[3] = paused("lora", 1, r1=70, r2=50), paused("lora", 3, r1=60, r2=80)
    assert next_step([lora()], rows).fit == ((("lora", 1, 0), LAST), (("lora", 3, 0), LAST)), "two come to the end"


def test_an_arm_that_was_shown_to_be_worse_leaves_but_not_the_best_of_its_family():
    entries = [lora(trials=1, share=1), IA3._replace(trials=1, share=1), SOFT]
    rows = [paused("lora", r1=90), paused("ia3", r1=30), paused("soft", r1=30)]
    step = next_step(entries, rows)
    assert places(step) == [("lora", 0, 0), ("soft", 0, 0)]
    assert [(drop.place, drop.why) for drop in step.dropped] == [
        (("ia3", 0, 0), "stopped early: behind lora on validation at rung 1")
    ]


def test_an_arm_that_is_behind_by_what_chance_explains_stays():
    rows = [paused("lora", r1=54), paused("ia3", r1=50)]
    entries = [lora(trials=1, share=1), IA3._replace(trials=1, share=1)]
    assert places(next_step(entries, rows)) == [("lora", 0, 0), ("ia3", 0, 0)]


def test_no_claim_from_a_handful_of_records():
    few = {record: 1.0 for record in RECORDS[:7]}
    none = dict.fromkeys(few, 0.0)
    rows = [paused("lora"), paused("ia3")]
    rows = [row._replace(scores={1: at}) for row, at in zip(rows, (few, none))]
    entries = [lora(trials=1, share=1), IA3._replace(trials=1, share=1)]
    assert next_step(entries, rows).dropped == ()


def test_then_the_other_seeds_of_the_best_trial():
    rows = [done("zero_shot"), done("lora", 0, right=52, r1=50, r2=50), done("lora", 1, right=49, r1=51, r2=51)]
    step = next_step([ZERO, lora(trials=2, share=2)], rows)
    assert step.dropped == ()
    assert step.fit == ((("lora", 0, 1), LAST),)


def test_what_the_leader_was_shown_to_beat_goes_to_the_test_with_one_seed():
    rows = [done("lora", right=90), done("lora", seed=1, right=90), done("soft", right=40), done("zero_shot", right=40)]
    step = next_step([ZERO, lora(trials=1), SOFT], rows)
    assert step.test == ("zero_shot/0/0", "lora/0/0", "lora/0/1", "soft/0/0")
    assert [(drop.place, drop.why) for drop in step.dropped] == [
        (("soft", 0, 1), "one seed is enough: worse on validation than lora")
    ]


def test_untrained_arms_meet_the_test_however_they_stand():
    few = Entry("few", "prompting", 1, 3, paused=False)
    rows = [done("lora", right=90), done("lora", seed=1), done("zero_shot", right=10), done("few", right=12)]
    assert next_step([ZERO, few, lora(trials=1)], rows).test == ("zero_shot/0/0", "few/0/0", "lora/0/0", "lora/0/1")


def test_each_job_meets_the_test_once_and_then_the_race_is_over():
    rows = [done("zero_shot", tested=True), done("lora", tested=True), done("lora", seed=1)]
    assert next_step([ZERO, lora(trials=1)], rows).test == ("lora/0/1",)
    rows[2] = done("lora", seed=1, tested=True)
    assert next_step([ZERO, lora(trials=1)], rows).over


def test_an_arm_whose_trials_all_failed_goes_no_further():
    rows = [done("zero_shot"), failed("lora"), failed("lora", 1)]
    assert next_step([ZERO, lora(trials=2, share=2)], rows).test == ("zero_shot/0/0",)


def test_an_arm_goes_on_with_the_seeds_it_has():
    rows = [done("lora"), failed("lora", seed=1), done("lora", seed=2)]
    assert next_step([lora(trials=1, seeds=3)], rows).test == ("lora/0/0", "lora/0/2")


def test_added_seeds_and_arms_run_only_new_jobs():
    rows = [done("zero_shot", tested=True), done("lora", tested=True), done("lora", seed=1, tested=True)]
    assert next_step([ZERO, lora(trials=1, seeds=4)], rows).fit == ((("lora", 0, 2), LAST), (("lora", 0, 3), LAST))
    assert next_step([ZERO, lora(trials=1), SOFT], rows).fit == ((("soft", 0, 0), 1),)


def test_an_arm_that_comes_later_takes_no_trials_from_those_that_were_there():
    rows = [done("lora", right=52, r1=50, r2=50, tested=True), done("lora", seed=1, tested=True)]
    rows += [paused("lora", trial, r1=right) for trial, right in ((1, 49), (2, 20), (3, 10))]
    step = next_step([lora(trials=4, share=4), IA3._replace(trials=4, share=4)], [*rows, paused("ia3", r1=51)])
    assert step.fit == ((("ia3", 1, 0), 1), (("ia3", 2, 0), 1)), "the new leader gets what is left of the share"
    later = [paused("ia3", trial, r1=51 - trial) for trial in range(3)]
    step = next_step([lora(trials=4, share=4), IA3._replace(trials=4, share=4)], [*rows, *later])
    assert {place[:2] for place in places(step)} == {("lora", 1), ("ia3", 0), ("ia3", 1)}
    assert {drop.place[:2] for drop in step.dropped} == {("lora", 2), ("lora", 3), ("ia3", 2)}


def dense(row, right):
    """The same job, whose records got another mean by the denser signal."""
    return row._replace(dense={record: right / 100 for record in RECORDS})


def test_at_the_end_the_denser_signal_counts_where_the_metric_leans_the_same_way():
    entries = [lora(trials=1, share=1), SOFT]
    leader, close, behind = done("lora", right=60), done("soft", right=58), done("soft", right=53)
    assert next_step(entries, [leader, behind]).dropped == (), "the metric alone does not show it"
    assert next_step(entries, [dense(leader, 70), dense(close, 30)]).dropped == (), "it is no claim about the metric"
    (drop,) = next_step(entries, [dense(leader, 70), dense(behind, 30)]).dropped
    assert drop.place[:2] == ("soft", 0)


def test_who_was_never_looked_at_on_a_rung_is_no_leader_there():
    """What ran to its end in a full race knows more than an arm that has just begun."""
    entries = [lora(trials=1, share=1), IA3._replace(trials=1, share=1)]
    full = [done("lora", right=90, tested=True), done("lora", seed=1, right=90, tested=True)]
    step = next_step(entries, [*full, paused("ia3", r1=30)])
    assert (places(step), step.dropped) == ([("ia3", 0, 0)], ())
    step = next_step(entries, [*full, done("ia3", right=30, r1=30, r2=30)])
    assert [drop.why for drop in step.dropped] == ["worse on validation than lora"]


def test_rows_of_arms_that_left_the_race_are_ignored():
    assert next_step([ZERO], [done("zero_shot"), paused("gone", r1=100)]).test == ("zero_shot/0/0",)


@pytest.mark.parametrize(("tie", "chosen"), [((-2.0, -1.0, -1.0), 1), ((-1.0, -1.0, -2.0), 0)])
def test_ties_go_to_the_smaller_loss_then_to_the_earlier_trial(tie, chosen):
    rows = [done("lora", trial, right=70, tie=loss) for trial, loss in enumerate(tie)]
    assert places(next_step([lora(trials=3, share=3)], rows, "full")) == [("lora", chosen, 1)]


def test_a_full_race_brings_everything_to_its_end_and_leaves_nobody_behind():
    entries = [lora(trials=3, share=3), SOFT]
    assert next_step(entries, [], "full").fit == ((("lora", 0, 0), LAST), (("soft", 0, 0), LAST))
    rows = [done("lora", trial, right=right) for trial, right in enumerate((90, 30, 20))] + [done("soft", right=5)]
    step = next_step(entries, rows, "full")
    assert (places(step), step.dropped) == ([("lora", 0, 1), ("soft", 0, 1)], ())


LATE = [lora(trials=1, share=1), IA3._replace(trials=1, share=1)]


def likely(arm, *means):
    """A job that waits, with each record's probability of the right label around a mean, by rung."""
    at = {rung: {r: mean + 0.001 * (i % 3) for i, r in enumerate(RECORDS)} for rung, mean in enumerate(means, 1)}
    return paused(arm)._replace(row=paused(arm, **{f"r{len(means)}": 0}).row, scores=at)


def test_a_race_that_extrapolates_keeps_an_arm_that_starts_late():
    rows = [likely("lora", 0.85, 0.9), likely("ia3", 0.1, 0.5)]
    (drop,) = next_step(LATE, rows).dropped
    assert drop.why == "stopped early: behind lora on validation at rung 1"
    step = next_step(LATE, rows, "extrapolate")
    assert (places(step), step.dropped) == ([("lora", 0, 0), ("ia3", 0, 0)], ())


def test_a_race_that_extrapolates_leaves_behind_what_points_too_low():
    rows = [likely("lora", 0.85, 0.9), likely("ia3", 0.3, 0.3)]
    step = next_step(LATE, rows, "extrapolate")
    assert (places(step), [drop.why for drop in step.dropped]) == (
        [("lora", 0, 0)],
        ["stopped early: behind lora on validation at rung 2"],
    )
    rows = [likely("lora", 0.85), likely("ia3", 0.1)]
    assert next_step(LATE, rows, "extrapolate").dropped == (), "one point is no line"


def test_a_race_that_extrapolates_speaks_of_the_trial_that_points_highest():
    rows = [likely("lora", 0.85, 0.86), likely("ia3", 0.5, 0.5), likely("ia3", 0.1, 0.48)]
    rows[2] = rows[2]._replace(row=replace(rows[2].row, key="ia3/1/0", trial=1))
    entries = [lora(trials=1, share=1), IA3._replace(trials=2, share=3)]
    assert next_step(entries, rows, "extrapolate").dropped == ()


def test_a_heading_is_a_straight_line_over_the_logarithm_and_stays_a_score():
    for one, two, end in ((0.2, 0.5, 0.8), (0.5, 0.9, 1.0), (0.4, 0.1, 0.0)):
        race = _Race(LATE, {("lora", 0, 0): likely("lora", one, two)}, "extrapolate")
        assert race._heading(("lora", 0, 0), 2)[RECORDS[0]] == pytest.approx(end)


def test_the_order_of_rows_is_nothing():
    rows = [done("zero_shot"), *(paused("lora", trial, r1=10 * trial) for trial in range(6))]
    assert next_step([ZERO, lora()], rows) == next_step([ZERO, lora()], rows[::-1])
