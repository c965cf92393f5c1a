"""The ball of the kernel SVDD, against scikit-learn's own decision function."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM

from models.errors import TrainingError
from models.kernel_svdd import KernelSvdd, Whitening


def cloud(count: int, width: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_the_boundary_and_the_order_are_those_of_the_one_class_svm() -> None:
    normal, asked = cloud(200), 2 * cloud(50, seed=1)
    ball = KernelSvdd(4, nu=0.2, steepness=1.0)
    ball.fit(normal)
    machine = OneClassSVM(nu=0.2, gamma=0.25).fit(normal.double().numpy())
    theirs = machine.decision_function(asked.double().numpy())
    ours = ball(asked).numpy()
    np.testing.assert_array_equal(ours > 0, theirs < 0)
    np.testing.assert_array_equal(np.argsort(ours), np.argsort(-theirs))


def test_about_the_share_nu_of_normal_points_lies_outside() -> None:
    ball = KernelSvdd(4, nu=0.2, steepness=1.0)
    ball.fit(cloud(500))
    assert (ball(cloud(500)) > 0).float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_what_is_far_away_still_counts_by_how_far() -> None:
    ball = KernelSvdd(1, nu=0.5, steepness=1.0)
    ball.fit(cloud(50, 1))
    far = ball(torch.tensor([[50.0], [100.0], [200.0]]))  # the kernel itself is zero there
    assert torch.isfinite(far).all()
    assert (far.diff() > 0).all()


def test_a_ball_holds_what_a_plane_cannot() -> None:
    turn = 2 * torch.pi * torch.rand(400, generator=torch.Generator().manual_seed(0))
    ring = torch.stack([turn.cos(), turn.sin()], dim=1)
    ball = KernelSvdd(2, nu=0.05, steepness=20.0)
    ball.fit(ring[:300])
    scores = torch.cat([ball(ring[300:]), ball(torch.zeros(100, 2) + 0.1 * cloud(100, 2))])
    assert roc_auc_score([0] * 100 + [1] * 100, scores.numpy()) > 0.99


def test_whitened_features_have_no_correlation_and_constant_ones_do_not_count() -> None:
    mixed = cloud(2000, 3) @ torch.tensor([[2.0, 1, 0], [0, 1, 0], [0, 0, 0.01]])
    features = torch.cat([mixed, torch.ones(2000, 1)], dim=1)
    whitening = Whitening(4, 4)
    whitening.fit(features)
    spread = np.cov(whitening(features).numpy().T)
    np.testing.assert_allclose(spread, np.diag([1.0, 1, 1, 0]), atol=0.01)
    other = features + torch.tensor([0.0, 0, 0, 5])
    torch.testing.assert_close(whitening(other), whitening(features))


def test_features_that_never_differ_are_refused_by_name() -> None:
    with pytest.raises(TrainingError, match="5 training features are all the same"):
        Whitening(3, 2).fit(torch.ones(5, 3))
