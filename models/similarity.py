"""How alike two pictures are: functions of batches (B, C, H, W) in [0, 1]."""

from torch import Tensor

PSNR_CAP_DB = 100.0  # of a perfect prediction; real ones stay under 60


def psnr_db(predicted: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each picture, (B,), in dB; higher is more alike.

    The peak is 1, as in the reference protocol of FFP, and not the picture's own maximum. The
    mean squared error is floored at 1e-10, so a perfect prediction has `PSNR_CAP_DB`.
    """
    error = (predicted - target).square().mean(dim=(1, 2, 3))
    return -10 * error.clamp_min(10 ** (-PSNR_CAP_DB / 10)).log10()


def squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Squared residual of each pixel, averaged over colour, (B, H, W)."""
    return (predicted - target).square().mean(dim=1)


def absolute_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Magnitude of each pixel's residual, averaged over colour, (B, H, W)."""
    return (predicted - target).abs().mean(dim=1)


def residual_norm(predicted: Tensor, target: Tensor) -> Tensor:
    """Euclidean length of each pixel's residual over colour, (B, H, W)."""
    return (predicted - target).square().sum(dim=1).sqrt()
