"""A variational autoencoder that has not collapsed, and its terms."""

import pytest
import torch

from models.detectors.vae import Latents
from models.errors import OptionError
from models.registry import build
from tests.models.learning import calm, fitted


def test_divergence_is_that_of_gaussians() -> None:
    """By torch's own distributions."""
    mean, log_variance = torch.randn(4, 5), torch.randn(4, 5)
    ours = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = torch.distributions.kl_divergence(ours, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(Latents(mean, log_variance).divergence(), expected.sum(dim=1))


def test_the_latents_say_something_and_pictures_are_rebuilt_apart() -> None:
    detector = fitted("vae")
    assert detector.examine(calm(detector)).terms["divergence"].min() > 1
    rebuilt = detector.reconstruct(calm(detector))
    assert rebuilt is not None
    assert rebuilt.std(dim=0).max() > 0.05


def test_sides_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(OptionError, match="vae needs sides that are multiples of 32"):
        build("vae", size=(100, 100))
