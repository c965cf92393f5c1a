"""The tail against SciPy's own distribution."""

import numpy as np
import pytest
from scipy.stats import genpareto

from monitor.tail import Tail, fit_tail


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3])
def test_many_excesses_give_back_their_distribution(shape: float) -> None:
    excesses = genpareto.rvs(shape, scale=2.0, size=20_000, random_state=1)
    tail = fit_tail(5.0, excesses)
    assert tail.shape == pytest.approx(shape, abs=0.03)
    assert tail.scale == pytest.approx(2.0, rel=0.05)


def test_it_agrees_with_maximum_likelihood() -> None:
    excesses = genpareto.rvs(0.1, scale=1.0, size=2_000, random_state=2)
    shape, _, scale = genpareto.fit(excesses, floc=0)
    likely = float(genpareto.isf(1e-4, shape, scale=scale))
    assert fit_tail(0.0, excesses).score_at(1e-4) == pytest.approx(likely, rel=0.15)


@pytest.mark.parametrize("tail", [Tail(3.0, 2.0, 0.0), Tail(3.0, 2.0, 0.3), Tail(3.0, 2.0, -0.2)])
def test_score_and_probability_are_inverse(tail: Tail) -> None:
    for chance in (1.0, 0.5, 1e-3):
        assert float(tail.beyond(tail.score_at(chance))) == pytest.approx(chance)


@pytest.mark.parametrize("shape", [-0.3, -1e-3, 0.0, 1e-12, 1e-3, 0.5])
def test_the_probability_is_scipys(shape: float) -> None:
    scores = np.array([-5.0, 3.0, 3.1, 5.0, 9.6, 9.7, 50.0, 1e6])
    wanted = genpareto.sf(np.maximum(scores - 3.0, 0), shape, scale=2.0)
    assert Tail(3.0, 2.0, shape).beyond(scores) == pytest.approx(wanted, rel=1e-9, abs=1e-300)


def test_few_excesses_get_an_exponential_and_very_few_nothing() -> None:
    excesses = np.linspace(0.5, 1.5, 11)
    few = fit_tail(2.0, excesses)
    assert (few.start, few.shape) == (2.0, 0.0)
    assert few.scale == pytest.approx(1.0)  # the mean
    assert fit_tail(2.0, excesses[:4]) == Tail(2.0, 0.0, 0.0)


def test_wild_excesses_keep_a_sane_shape() -> None:
    assert fit_tail(0.0, 1e6 ** np.linspace(0, 5, 200)).shape <= 0.5
    assert fit_tail(0.0, np.full(200, 3.0)).shape >= -0.3
