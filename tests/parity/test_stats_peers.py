"""Our statistics against scipy and statsmodels, to 1e-9 unless said otherwise."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from tuneoff.stats.artifact import artifact_contrast
from tuneoff.stats.comparison import compare
from tuneoff.stats.interval import exact, mean_interval, wilson
from tuneoff.stats.jackknife import pseudo_values
from tuneoff.stats.many import holm
from tuneoff.stats.seed_spread import mean_squares


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_interval_of_one_run_is_the_t_interval(rng):
    x = rng.uniform(0.3, 0.6, size=40)
    theirs = stats.ttest_1samp(x, 0).confidence_interval()
    assert mean_interval(x, (0, 2))[1:] == pytest.approx(tuple(theirs), rel=1e-9)


def test_two_runs_are_the_paired_t_test(rng):
    """But for the degrees of freedom, which are counted in records that differ: 2 % of p at 400 records."""
    a, b = rng.uniform(0.2, 0.8, 400), rng.uniform(0.2, 0.76, 400)
    theirs, ours = stats.ttest_rel(a, b), compare({"a": a, "b": b}, deterministic="ab").contrasts[0]
    assert ours.p == pytest.approx(theirs.pvalue, rel=0.02)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()), abs=1e-4)
    assert ours.p != pytest.approx(stats.ttest_ind(a, b).pvalue, rel=0.02)


def test_all_better_by_the_same_is_the_binomial_test():
    ours = compare({"a": np.full(9, 0.7), "b": np.full(9, 0.5)}, deterministic="ab").contrasts[0]
    assert ours.p == pytest.approx(stats.binomtest(9, 9).pvalue, rel=1e-9)


def test_saved_files_are_the_exact_test_of_mcnemar(rng):
    from statsmodels.stats.contingency_tables import mcnemar

    a, b = (rng.random((2, 200)) < [[0.8], [0.7]]).astype(int)
    table = np.array([[((a == x) & (b == y)).sum() for y in (1, 0)] for x in (1, 0)])
    assert artifact_contrast("a", "b", a, b).p == pytest.approx(mcnemar(table, exact=True).pvalue, rel=1e-9)
    assert artifact_contrast("a", "b", a, b).p != pytest.approx(mcnemar(table, exact=False).pvalue, rel=1e-6)


def test_pseudo_values_have_the_variance_of_the_jackknife(rng):
    """scipy has no jackknife: of a mean it is the mean's own variance, of a ratio that of Cochran's linearisation."""
    rows = rng.uniform(0.5, 1.5, size=(300, 1, 2))
    mean = pseudo_values(rows, lambda rows_RK: rows_RK[:, 0].mean())[:, 0]
    assert mean == pytest.approx(rows[:, 0, 0], abs=1e-9)
    found = pseudo_values(rows, lambda rows_RK: rows_RK[:, 0].sum() / rows_RK[:, 1].sum())[:, 0]
    y, x = rows[:, 0].T
    linear = (y - y.sum() / x.sum() * x) / x.mean()
    assert found.mean() == pytest.approx(y.sum() / x.sum(), rel=1e-9)
    assert found.var(ddof=1) == pytest.approx(linear.var(ddof=1), rel=0.02)


@pytest.mark.parametrize("n", [5, 40, 900])
def test_exact_is_clopper_pearson_at_both_ends(n):
    for hits, value in ((0, 0.0), (n, 1.0)):
        low, high = stats.binomtest(hits, n).proportion_ci(method="exact")
        assert exact(value, n, (0, 1)) == (value, pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 7), (150, 150), (311, 400)])
def test_wilson_is_that_of_scipy_and_statsmodels(hits, n):
    ours = wilson(hits, n)[1:]
    assert ours == pytest.approx(tuple(stats.binomtest(hits, n).proportion_ci(method="wilson")), abs=1e-9)
    assert ours == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-9)
    assert ours != pytest.approx(proportion_confint(hits, n, method="agresti_coull"), abs=1e-9)


def test_holm_is_that_of_statsmodels_and_not_bonferroni():
    p = np.array([0.012, 0.2, 0.001, 0.03])
    assert holm(p).tolist() == pytest.approx([0.036, 0.2, 0.004, 0.06])
    assert holm(p).tolist() != pytest.approx(multipletests(p, method="bonferroni")[1].tolist())


def test_mean_squares_are_those_of_a_two_way_analysis_of_variance(rng):
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    x_RS = rng.normal(size=(12, 4))
    table = pd.DataFrame([(r, s, x_RS[r, s]) for r in range(12) for s in range(4)], columns=["r", "s", "x"])
    theirs = anova_lm(ols("x ~ C(r) + C(s)", table).fit())["mean_sq"]
    ours = mean_squares(x_RS)
    assert (ours.seed, ours.rest) == pytest.approx(tuple(theirs)[1:], rel=1e-9)
    assert mean_squares(x_RS.T).seed != pytest.approx(theirs.iloc[1], rel=1e-3)
