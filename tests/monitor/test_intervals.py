"""Intervals of counts, against SciPy's."""

import pytest
from scipy.special import chdtri
from scipy.stats import binomtest

from monitor.intervals import most_expected, share_interval


@pytest.mark.parametrize("count", [0, 1, 2, 7, 30, 400, 20_000])
def test_the_bound_on_a_mean_is_that_of_the_chi_squared_distribution(count: int) -> None:
    expected = float(chdtri(2 * (count + 1), 0.05)) / 2
    assert most_expected(count) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("count", "chance"), [(5, 1e-12), (10, 1e-6), (1000, 1e-300), (3, 0.9)])
def test_so_it_is_for_any_chance(count: int, chance: float) -> None:
    expected = float(chdtri(2 * (count + 1), chance)) / 2
    assert most_expected(count, chance) == pytest.approx(expected, rel=1e-9)


def test_nothing_seen_bounds_the_mean_by_three() -> None:
    assert most_expected(0) == pytest.approx(2.9957, abs=1e-4)  # -log(0.05), the rule of three


@pytest.mark.parametrize("total", [1, 2, 10, 331, 20_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_of_a_share_is_that_of_the_binomial_test(
    total: int, share: float, confidence: float
) -> None:
    count = round(share * total)
    expected = binomtest(count, total).proportion_ci(confidence, method="exact")
    found = share_interval(count, total, confidence)
    assert found == pytest.approx((float(expected.low), float(expected.high)), abs=1e-10)
    assert 0 <= found[0] <= count / total <= found[1] <= 1
