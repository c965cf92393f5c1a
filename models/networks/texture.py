"""Colour and texture of each place, by formula: nothing here is learned.

Colour: mean and spread of the colours around. Texture: how much there is, on average, of edges and
of bright and dark lines, in four directions at three sizes (derivatives of a Gaussian; the first
order of a scattering transform, Bruna and Mallat, PAMI 2013, with oriented filters). Square roots
of the means, so that a strong contrast does not drown the weak ones.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZES_PX = (0.8, 1.6, 3.2)  # sigma of the filters, octaves apart
AROUND_PX = 3.0  # sigma of the averages
STRIDE = 4  # pixels from place to place
BY_SIZE = 12  # edges, bright lines, dark lines, in four directions each
LEAST = 1e-4  # under the square roots: a hundredth of the range of grey levels, squared


class Texture(nn.Module):
    """(B, C, H, W) in [0, 1] -> (B, `width`, H / 4, W / 4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.width = 2 * channels + BY_SIZE * len(SIZES_PX)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features of the places, all in the order of 0.01 to 1."""
        colours = opponents(pictures)
        mean = around(colours)
        spread = (around(colours.square()) - mean.square()).clamp_min(0)
        texture = [around(textures(colours[:, :1], size)) for size in SIZES_PX]
        return torch.cat([mean, *((part + LEAST).sqrt() for part in (spread, *texture))], dim=1)


def against_own(features: Tensor, channels: int) -> Tensor:
    """Features (B, F, h, w) of `Texture(channels)`, each against its median over its own picture.

    Colours as differences; spreads and textures as logarithms of ratios, so that a line counts
    for less in a coarse picture than in a smooth one.
    """
    half = features.shape[2] * features.shape[3] // 2 + 1
    ranked = features.flatten(2).topk(half, dim=2).values  # as exported graphs know no median
    own = ranked[..., -1:, None]
    colours = (features - own)[:, :channels]
    return torch.cat([colours, (features / own)[:, channels:].log()], dim=1)


def opponents(pictures: Tensor) -> Tensor:
    """Brightness, red against green, blue against the rest; or the luma that there is."""
    if pictures.shape[1] == 1:
        return pictures
    bright = pictures.mean(dim=1, keepdim=True)
    red, green, blue = (pictures[:, colour : colour + 1] for colour in range(3))
    return torch.cat([bright, red - green, blue - bright], dim=1)


def textures(bright: Tensor, sigma_px: float) -> Tensor:
    """Strengths of edges, bright and dark lines in four directions each, (B, 12, H, W)."""
    plain, first, second = _gaussian(sigma_px, bright)
    across, down = _filtered(bright, first, plain), _filtered(bright, plain, first)
    curved = _filtered(bright, second, plain), _filtered(bright, plain, second)
    both = _filtered(bright, first, first)
    middle, root = (curved[0] + curved[1]) / 2, math.sqrt(0.5)
    edges = torch.cat([across, down, root * (across + down), root * (across - down)], dim=1)
    lines = torch.cat([*curved, middle + both, middle - both], dim=1)
    return torch.cat([edges.abs(), (-lines).relu(), lines.relu()], dim=1)


def around(maps: Tensor) -> Tensor:
    """Gaussian means (B, C, H, W) -> (B, C, H / 4, W / 4), at the middle of squares of 4 x 4."""
    B, C, H, W = maps.shape
    kernel = _window(AROUND_PX, STRIDE, maps)
    pad = (len(kernel) - STRIDE) // 2
    flat = F.pad(maps.reshape(B * C, 1, H, W), (pad, pad, pad, pad), mode="replicate")
    rows = F.conv2d(flat, kernel[None, None, None, :], stride=(1, STRIDE))
    return F.conv2d(rows, kernel[None, None, :, None], stride=(STRIDE, 1)).reshape(
        B, C, H // STRIDE, W // STRIDE
    )


def _window(sigma_px: float, even: int, like: Tensor) -> Tensor:
    """A Gaussian of even length, so that its middle lies between two pixels."""
    half = even // 2 + math.ceil(2.5 * sigma_px)
    x = torch.arange(2 * half, device=like.device, dtype=like.dtype) - half + 0.5
    kernel = (-0.5 * (x / sigma_px).square()).exp()
    return kernel / kernel.sum()


def _gaussian(sigma_px: float, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A Gaussian and its derivatives, scaled so that all sizes answer a like edge alike."""
    reach = math.ceil(3 * sigma_px)
    x = torch.arange(-reach, reach + 1, device=like.device, dtype=like.dtype) / sigma_px
    plain = (-0.5 * x.square()).exp()
    plain = plain / plain.sum()
    second = (x.square() - 1) * plain
    return plain, x * plain, second - second.mean()


def _filtered(picture: Tensor, across: Tensor, down: Tensor) -> Tensor:
    pad = len(across) // 2
    padded = F.pad(picture, (pad, pad, pad, pad), mode="replicate")
    return F.conv2d(F.conv2d(padded, across[None, None, None, :]), down[None, None, :, None])
