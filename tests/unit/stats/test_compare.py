"""Comparisons with the best: by hand where they can be, against scipy and statsmodels, and by simulation."""

import numpy as np
import pytest
from scipy import stats

from tuneoff.stats.artifact import artifact_contrast
from tuneoff.stats.comparison import compare
from tuneoff.stats.seed_spread import MeanSquares, SeedSpread
from tuneoff.stats.student import Error


def answers(rng, accuracies, records=300, seeds=3, moves=0.3):
    """0/1 answers of each arm: hard and easy records that all share, lucky and unlucky seeds of its own."""
    hard_R1 = 1.5 * rng.standard_normal((records, 1))
    return {
        f"arm{at}": (
            hard_R1
            + 2 * stats.norm.ppf(accuracy)
            + moves * rng.standard_normal(seeds)
            + rng.standard_normal((records, seeds))
            > 0
        ).astype(float)
        for at, accuracy in enumerate(accuracies)
    }


def test_with_two_arms_the_winners_are_a_one_sided_test():
    rng = np.random.default_rng(1)
    for gap in (0.0, 0.02, 0.03, 0.035, 0.05):
        a_R = rng.uniform(0.2, 0.8, 400)
        arms = {"a": a_R + gap, "b": rng.permutation(a_R)}
        found = compare(arms, bounds=(0, 2), deterministic=("a", "b"))
        one_sided = found.contrasts[0].p / 2
        assert (len(found.winners) == 1) == (one_sided < 0.05) or abs(one_sided - 0.05) < 0.004


def test_each_of_equally_good_arms_is_among_the_winners():
    rng = np.random.default_rng(2)
    runs = [compare(answers(rng, [0.8] * 4)) for _ in range(300)]
    kept = [np.mean([f"arm{at}" in run.winners for run in runs]) for at in range(4)]
    assert min(kept) >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / 300)
    assert np.mean([len(run.winners) for run in runs]) < 4  # it does rule out something now and then


def test_a_real_difference_is_found():
    rng = np.random.default_rng(3)
    runs = [compare(answers(rng, [0.9, 0.8, 0.8, 0.8], moves=0.1)) for _ in range(50)]
    assert np.mean([run.winners == ("arm0",) for run in runs]) > 0.9


def test_decisions_with_the_best_follow_the_winners():
    rng = np.random.default_rng(4)
    for _ in range(40):
        run = compare(answers(rng, rng.uniform(0.7, 0.85, 5)), pairs="all")
        with_best = [row for row in run.contrasts if row.a == run.best]
        assert {row.b for row in with_best if row.decision == "different"} == set(run.arms) - set(run.winners)
        assert len(run.contrasts) == 10


def test_equivalence_is_a_test_of_its_own():
    rng = np.random.default_rng(5)
    same_R = rng.uniform(0, 1, 4000)
    near = np.clip(same_R + rng.normal(0, 0.02, 4000), 0, 1)
    far = compare({"a": same_R[:40], "b": rng.permutation(same_R[:40])}, deterministic=("a", "b"))
    assert compare({"a": same_R, "b": near}, deterministic=("a", "b")).contrasts[0].decision == "practically_equal"
    assert far.contrasts[0].decision == "open"


def test_where_nothing_varies_the_bound_is_exact():
    ones = np.ones((100, 3))
    row = compare({"a": ones, "b": ones}).contrasts[0]
    assert row.p == 1.0
    assert row.high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert compare({"a": ones, "b": ones}, margin=0.05).contrasts[0].decision == "practically_equal"


def test_noisy_seeds_widen_the_interval_and_a_deterministic_arm_adds_nothing():
    rng = np.random.default_rng(6)
    quiet, noisy = answers(rng, [0.8, 0.75], moves=0.0), answers(rng, [0.8, 0.75], moves=1.5)
    width = {
        name: compare(arms).contrasts[0].high - compare(arms).contrasts[0].low
        for name, arms in (("quiet", quiet), ("noisy", noisy))
    }
    assert width["noisy"] > 1.5 * width["quiet"]
    arms = {"a": noisy["arm0"], "b": noisy["arm1"][:, :1]}
    taken = compare(arms).contrasts[0].parts
    none = compare(arms, deterministic=["b"]).contrasts[0].parts
    assert taken.seeds_b == 1
    assert none.seeds_b == 0


def test_one_seed_everywhere_is_said():
    rng = np.random.default_rng(7)
    arms = {name: x_RS[:, 0] for name, x_RS in answers(rng, [0.8, 0.7]).items()}
    assert compare(arms).unknown == ("arm0", "arm1")
    assert compare(arms, deterministic=["arm1"]).unknown == ("arm0",)


def test_groups_keep_their_seeds_apart():
    rng = np.random.default_rng(8)
    arms = answers(rng, [0.8, 0.8], moves=0.0) | {
        f"noisy{at}": x for at, x in enumerate(answers(rng, [0.8] * 3, moves=1.0).values())
    }
    apart = compare(arms, groups={name: name.rstrip("012") for name in arms}, pairs=[("arm0", "arm1")])
    together = compare(arms, pairs=[("arm0", "arm1")])
    width = [
        next(row.high - row.low for row in run.contrasts if {row.a, row.b} == {"arm0", "arm1"})
        for run in (apart, together)
    ]
    assert width[0] < width[1]


def test_saved_files_are_judged_by_the_exact_test():
    a_R = np.array([1.0] * 12 + [0.0] * 3 + [1.0] * 50)
    b_R = np.array([0.0] * 12 + [1.0] * 3 + [1.0] * 50)
    found = artifact_contrast("a", "b", a_R, b_R)
    assert (found.a_only, found.b_only) == (12, 3)
    assert found.p == pytest.approx(stats.binomtest(12, 15).pvalue)
    rng = np.random.default_rng(9)
    d_R = rng.normal(0.03, 0.1, 60)
    permuted = artifact_contrast("a", "b", 0.5 + d_R, np.full(60, 0.5))
    assert permuted.p == pytest.approx(stats.ttest_1samp(d_R, 0).pvalue, abs=0.03)
    run = compare({"a": np.stack([a_R, a_R], 1), "b": b_R}, artifact={"a": 1})
    assert run.artifacts[0].p == pytest.approx(found.p)


def test_the_same_scores_give_the_same_answer():
    arms = answers(np.random.default_rng(10), [0.8, 0.78, 0.75])
    assert compare(arms) == compare({name: x.copy() for name, x in arms.items()})


@pytest.mark.parametrize(
    ("scores", "more", "said"),
    [
        ({}, {}, "no arms"),
        ({"a": np.zeros(3), "b": np.zeros(4)}, {}, "different numbers"),
        ({"a": np.zeros(3), "b": np.full(3, np.nan)}, {}, "not finite"),
        ({"a": np.zeros(3), "b": np.full(3, 2.0)}, {}, "outside bounds"),
        ({"a": np.zeros(3), "b": np.zeros(3)}, {"deterministic": ["c"]}, "no scores for 'c'"),
        ({"a": np.zeros((3, 2)), "b": np.zeros(3)}, {"deterministic": ["a"]}, "one column"),
        ({"a": np.zeros((3, 2)), "b": np.zeros(3)}, {"artifact": {"a": 2}}, "none has number 2"),
        ({"a": np.zeros(3), "b": np.zeros(3)}, {"pairs": "some"}, "pairs is"),
        ({"a": np.zeros((3, 2, 2)), "b": np.zeros(3)}, {}, "shape"),
    ],
)
def test_bad_input_is_told(scores, more, said):
    with pytest.raises(ValueError, match=said):
        compare(scores, **more)


def test_what_is_known_of_seeds_adds_up_and_is_drawn_as_said():
    spread = SeedSpread({"a": MeanSquares(0.1, 0.9, 2), "b": MeanSquares(0.1, 0.05, 2), "c": MeanSquares(0.1, 0.3, 2)})
    both = spread.of_both("a", "b")
    assert both.sum() == pytest.approx(1.0)
    assert both.sum(axis=1) == pytest.approx(spread.of("a"))
    assert both.sum(axis=0) == pytest.approx(spread.of("b"))
    drawn = spread.draw(np.random.default_rng(0), ["a", "b"], 40_000)
    quiet = [spread.of(name)[spread.values_U < 2].sum() for name in ("a", "b")]
    assert (drawn < 2).mean(axis=0) == pytest.approx(quiet, abs=0.01)


def test_a_mixture_reaches_as_far_as_its_tail_says():
    error = Error(np.array([1.0, 9.0]), np.array([0.8, 0.2]), 0.0, 1)
    assert error.reach(0.025) == pytest.approx(3.4665, abs=0.001)
    assert error.beyond(error.reach(0.025)) == pytest.approx(0.025, rel=1e-3)
    assert Error(np.array([4.0]), np.array([1.0]), 4.0, 5).reach(0.025) == pytest.approx(2 * stats.t.ppf(0.975, 5))
