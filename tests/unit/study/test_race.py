"""The race is a function of rows: trials, the best of them, its seeds, the test once."""

from tuneoff.study.outcome import JobRow
from tuneoff.study.race import Entry, Seen, Step, best_trial, next_step


def seen(arm, trial=0, seed=0, status="done", value=0.5, tie=0.0, tested=False):
    row = JobRow(key=f"{arm}/{trial}/{seed}", arm=arm, trial=trial, seed=seed, status=status, tested=tested)
    return Seen(row, (value, tie) if status == "done" and value is not None else None)


def by_place(rows):
    return {(s.row.arm, s.row.trial, s.row.seed): s for s in rows}


LORA, ZERO = Entry("lora", 3, 2), Entry("zero_shot", 1, 1)


def test_first_all_trials_with_one_seed():
    assert next_step([ZERO, LORA], []) == Step(
        fit=(("zero_shot", 0, 0), ("lora", 0, 0), ("lora", 1, 0), ("lora", 2, 0))
    )


def test_what_is_settled_is_not_done_again():
    rows = [seen("zero_shot"), seen("lora", 1), seen("lora", 0, status="failed")]
    assert next_step([ZERO, LORA], rows) == Step(fit=(("lora", 2, 0),))


def test_what_was_broken_off_is_done_again():
    for status in ("planned", "running"):
        assert ("lora", 2, 0) in next_step([LORA], [seen("lora", 2, status=status)]).fit


def test_then_the_other_seeds_of_the_best_trial():
    rows = [seen("zero_shot"), seen("lora", 0, value=0.4), seen("lora", 1, value=0.7), seen("lora", 2, value=0.6)]
    assert next_step([ZERO, LORA], rows) == Step(fit=(("lora", 1, 1),))


def test_then_the_test_of_the_chosen_jobs_alone():
    rows = [seen("zero_shot"), seen("lora", 0, value=0.4), seen("lora", 1, value=0.7), seen("lora", 2, value=0.6)]
    rows.append(seen("lora", 1, 1))
    assert next_step([ZERO, LORA], rows) == Step(test=("zero_shot/0/0", "lora/1/0", "lora/1/1"))


def test_each_job_meets_the_test_once():
    rows = [seen("zero_shot", tested=True), seen("lora", tested=True), seen("lora", seed=1)]
    assert next_step([ZERO, Entry("lora", 1, 2)], rows) == Step(test=("lora/0/1",))


def test_the_race_is_over():
    rows = [seen("zero_shot", tested=True), seen("lora", tested=True), seen("lora", seed=1, tested=True)]
    assert not any(next_step([ZERO, Entry("lora", 1, 2)], rows))


def test_an_arm_whose_trials_all_failed_goes_no_further():
    rows = [seen("zero_shot"), *(seen("lora", trial, status="failed") for trial in range(3))]
    assert next_step([ZERO, LORA], rows) == Step(test=("zero_shot/0/0",))


def test_an_arm_goes_on_with_the_seeds_it_has():
    rows = [seen("lora"), seen("lora", seed=1, status="failed"), seen("lora", seed=2)]
    assert next_step([Entry("lora", 1, 3)], rows) == Step(test=("lora/0/0", "lora/0/2"))


def test_added_seeds_and_arms_run_only_new_jobs():
    rows = [seen("zero_shot", tested=True), seen("lora", tested=True), seen("lora", seed=1, tested=True)]
    assert next_step([ZERO, Entry("lora", 1, 4)], rows) == Step(fit=(("lora", 0, 2), ("lora", 0, 3)))
    assert next_step([ZERO, Entry("lora", 1, 2), Entry("ia3", 1, 2)], rows) == Step(fit=(("ia3", 0, 0),))


def test_rows_of_arms_that_left_the_race_are_ignored():
    assert next_step([ZERO], [seen("zero_shot"), seen("gone", status="running")]) == Step(test=("zero_shot/0/0",))


def test_ties_go_to_the_smaller_loss_then_to_the_earlier_trial():
    tied = [
        seen("lora", 0, value=0.7, tie=-2.0),
        seen("lora", 1, value=0.7, tie=-1.0),
        seen("lora", 2, value=0.7, tie=-1.0),
    ]
    assert best_trial(LORA, by_place(tied)) == 1


def test_a_trial_without_a_figure_is_never_the_best():
    rows = [seen("lora", 0, value=None), seen("lora", 1, value=0.1), seen("lora", 2, status="failed")]
    assert best_trial(LORA, by_place(rows)) == 1
    assert best_trial(LORA, by_place(rows[:1])) is None


def test_the_order_of_the_rows_does_not_matter():
    rows = [seen("zero_shot"), seen("lora", 0, value=0.4), seen("lora", 1, value=0.7), seen("lora", 2, value=0.6)]
    assert next_step([ZERO, LORA], rows) == next_step([ZERO, LORA], rows[::-1])
