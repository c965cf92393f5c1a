"""How alike two pictures are: functions of batches (B, C, H, W) in [0, 1]."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor

from models.blur import box_blur

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


def ssim_map(predicted: Tensor, target: Tensor, window: int = 7) -> Tensor:
    """Structural similarity around each pixel, averaged over colour, (B, H, W) in [-1, 1].

    Wang et al., 2004, over squares of `window` pixels (odd, and no wider than the picture) as in
    scikit-image, where the paper has a Gaussian; at the rim over what is inside.
    """
    local = partial(box_blur, window=window)
    p, t = local(predicted), local(target)
    pp, tt = local(predicted.square()) - p.square(), local(target.square()) - t.square()
    pt = local(predicted * target) - p * t
    light = (2 * p * t + 0.01**2) / (p.square() + t.square() + 0.01**2)
    structure = (2 * pt + 0.03**2) / (pp + tt + 0.03**2)
    return (light * structure).mean(dim=1)


def gradient_similarity_map(predicted: Tensor, target: Tensor, scales: int = 4) -> Tensor:
    """How alike edges are around each pixel, over scales of 1, 1/2, ... , (B, H, W) in (0, 1].

    Multi-scale gradient magnitude similarity of Zavrtanik et al., RIAD, Pattern Recognition 2021,
    eq. 4-6: Prewitt gradients of the luma, constant 0.0026; scales narrower than 8 are left out.
    """
    p, t = (pictures.mean(dim=1, keepdim=True) for pictures in (predicted, target))
    maps: list[Tensor] = []
    for scale in range(scales):
        if scale and min(p.shape[-2:]) >= 16:
            p, t = F.avg_pool2d(p, 2), F.avg_pool2d(t, 2)
        elif scale:
            break
        a, b = _steepness(p), _steepness(t)
        alike = (2 * (a * b) + 0.0026) / (a.square() + b.square() + 0.0026)
        size = target.shape[-2:]
        maps.append(F.interpolate(alike, size=size, mode="bilinear", align_corners=False))
    return sum(maps[1:], maps[0])[:, 0] / len(maps)


def _steepness(luma: Tensor) -> Tensor:
    """Magnitude of the Prewitt gradient of (B, 1, H, W), the rim repeated."""
    padded = F.pad(luma, (1, 1, 1, 1), mode="replicate")
    rows = F.avg_pool2d(padded, (3, 1), 1)
    columns = F.avg_pool2d(padded, (1, 3), 1)
    across, down = rows[..., 2:] - rows[..., :-2], columns[..., 2:, :] - columns[..., :-2, :]
    return (across.square() + down.square() + 1e-12).sqrt()
