import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from models.density import GaussianDensity
from models.errors import TrainingError


def features(count: int, width: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(width, width, generator=generator)
    return torch.randn(count, width, generator=generator) @ mixing + 3


def test_distances_are_those_of_scikit_learn_and_of_scipy() -> None:
    learned, others = features(200)[:150], features(200)[150:]
    density = GaussianDensity(6)
    density.fit(learned)
    reference = LedoitWolf().fit(learned.double().numpy())
    expected = reference.mahalanobis(others.double().numpy())
    np.testing.assert_allclose(density(others).numpy(), expected, rtol=1e-3)
    one = mahalanobis(others[0].numpy(), reference.location_, reference.precision_) ** 2
    assert float(density(others[:1])) == pytest.approx(one, rel=1e-3)


def test_places_of_a_map_are_judged_one_by_one() -> None:
    density = GaussianDensity(6)
    density.fit(features(100))
    some = features(24)
    torch.testing.assert_close(density(some.reshape(2, 3, 4, 6)).flatten(), density(some))


def test_fewer_pictures_than_features_still_give_a_density() -> None:
    density = GaussianDensity(32)
    density.fit(features(5, 32))
    assert torch.isfinite(density(features(5, 32))).all()
    assert float(density(features(5, 32) + 100).min()) > float(density(features(5, 32)).max())


@pytest.mark.parametrize("count", [1, 3])
def test_equal_pictures_give_a_narrow_ball(count: int) -> None:
    density = GaussianDensity(6)
    density.fit(torch.ones(count, 6))
    assert float(density(torch.ones(6))) == 0
    assert float(density(2 * torch.ones(6))) > 1


def test_no_features_or_broken_ones_are_refused() -> None:
    with pytest.raises(TrainingError, match="no picture"):
        GaussianDensity(3).fit(torch.empty(0, 3))
    with pytest.raises(TrainingError, match="not finite"):
        GaussianDensity(3).fit(torch.full((4, 3), float("nan")))


def test_the_slope_is_half_the_gradient() -> None:
    density = GaussianDensity(6)
    density.fit(features(100))
    places = features(24).requires_grad_()
    density(places).sum().backward()
    assert places.grad is not None
    torch.testing.assert_close(density.slope(places), places.grad / 2, rtol=1e-3, atol=1e-3)
