"""What training minimises: functions of tensors, each a scalar. Knows no network and no clip."""

import torch
import torch.nn.functional as F
from torch import Tensor


def intensity_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two batches of pictures of any one shape (FFP eq. 2)."""
    return (predicted - target).square().mean()


def gradient_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Difference in the steepness of edges: mean(||dx g| - |dx p|| + ||dy g| - |dy p||).

    FFP eq. 3, with differences to the next pixel; there is none beyond the last row and column.

    Args:
        predicted: (..., H, W).
        target: The same shape.
    """
    across = (_steps(target, -1) - _steps(predicted, -1)).abs()
    down = (_steps(target, -2) - _steps(predicted, -2)).abs()
    return (F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1))).mean()


def _steps(pictures: Tensor, dim: int) -> Tensor:
    return pictures.diff(dim=dim).abs()


def flow_loss(predicted_flow: Tensor, target_flow: Tensor) -> Tensor:
    """Mean absolute difference of two flows (B, 2, H, W), in pixels per frame (FFP eq. 4)."""
    return (predicted_flow - target_flow).abs().mean()


def generator_loss(verdict_on_predicted: Tensor) -> Tensor:
    """Least-squares GAN: half the squared distance to 1, "real" (FFP eq. 6)."""
    return 0.5 * (verdict_on_predicted - 1).square().mean()


def discriminator_loss(verdict_on_target: Tensor, verdict_on_predicted: Tensor) -> Tensor:
    """Least-squares GAN: real pictures to 1, predicted ones to 0 (FFP eq. 5)."""
    real = 0.5 * (verdict_on_target - 1).square().mean()
    return real + 0.5 * verdict_on_predicted.square().mean()


def memory_entropy(weights: Tensor) -> Tensor:
    """Mean entropy, in nats, of how a memory is addressed; low where few items are used.

    Args:
        weights: (B, N, ...), over N memory items, summing to 1 along dim 1 (MemAE eq. 9).
    """
    return -torch.xlogy(weights, weights.clamp_min(1e-12)).sum(dim=1).mean()
