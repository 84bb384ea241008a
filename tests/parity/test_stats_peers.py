"""Our statistics against scipy and statsmodels, to 1e-9 unless said otherwise."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from tuneoff.stats.crossed import components
from tuneoff.stats.interval import crossed_interval, exact, wilson
from tuneoff.stats.many import holm
from tuneoff.stats.paired import paired


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_one_seed_is_the_one_sample_t_test(rng):
    x = rng.uniform(0.3, 0.6, size=40)
    theirs = stats.ttest_1samp(x, 0)
    assert paired(x).p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert crossed_interval(x[:, None])[1:] == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-9)


def test_two_arms_are_the_paired_t_test(rng):
    a, b = rng.random(50), rng.random(50)
    theirs = stats.ttest_rel(a, b)
    ours = paired((a - b)[:, None])
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-9)
    assert ours.p != pytest.approx(stats.ttest_ind(a, b).pvalue, rel=1e-3)


def test_all_better_is_the_binomial_test():
    assert paired(np.full((9, 1), 0.2)).p == pytest.approx(stats.binomtest(9, 9).pvalue, rel=1e-9)


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
    ours = components(x_RS)
    assert (ours.ms_record, ours.ms_seed, ours.ms_rest) == pytest.approx(tuple(theirs), rel=1e-9)
    assert components(x_RS.T).ms_record != pytest.approx(theirs.iloc[0], rel=1e-3)
