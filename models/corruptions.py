"""Ways to spoil a normal picture, for networks that learn to repair it or to tell it apart.

Functions of batches (B, C, H, W) in [0, 1], each picture spoilt by itself; what comes back has
the same shape and range. Chance comes from `generator` (on the CPU), or from the global one.
Stain, drops, scratches: Collin and De Vleeschouwer, "Improved anomaly detection by training an
autoencoder with skip connections on images corrupted with stain-shaped noise", ICPR 2020,
arXiv:2008.12977. Cut-paste and scar: Li et al., "CutPaste", CVPR 2021, arXiv:2104.04015. Lengths
are shares of the picture's shorter side unless said otherwise.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Corrupt = Callable[[Tensor, Generator | None], Tensor]
Corruption = Literal[
    "stain", "drops", "scratches", "gaussian", "cut_paste", "scar", "cloud", "structural", "mixed"
]

STAIN_AXES = (0.01, 0.12)  # of an ellipse, from its centre to its rim
BOUNDARY_POINTS, IRREGULARITY = 20, 0.1  # moved to and fro by so much of the radius
TABLE = 32  # entries of a cubic
COLOUR = (10 / 255, 220 / 255)
TEXTURE = math.sqrt(0.05 / 255)  # deviation of the noise on a stain
DROPS, DROP_RADIUS = 10, (0.01, 0.02)
NOISE = math.sqrt(0.01)
PATCH_AREA, PATCH_ASPECT = (0.02, 0.15), (0.3, 3.3)  # of the picture; height over width
SCAR_WIDTH, SCAR_LENGTH = (2 / 256, 16 / 256), (10 / 256, 25 / 256)
JITTER = 0.1  # of brightness, contrast and each colour of what is pasted


def stain(
    pictures: Tensor,
    generator: Generator | None = None,
    *,
    axes: tuple[float, float] = STAIN_AXES,
    irregularity: float = IRREGULARITY,
) -> Tensor:
    """One ellipse of a single colour, its rim uneven, turned and placed at will."""
    B, _, H, W = pictures.shape
    u, v = _turned(pictures, generator, math.pi)
    radii = _uniform((2, B, 1, 1), axes, pictures, generator).mul(min(H, W)).clamp_min(1)
    u, v = u / radii[0], v / radii[1]
    uneven = (1 - irregularity, 1 + irregularity)
    knots = _uniform((B, BOUNDARY_POINTS), uneven, pictures, generator)
    inside = u.square() + v.square() < _around(knots, torch.atan2(v, u)).square()
    return _painted(pictures, inside, generator)


def drops(pictures: Tensor, generator: Generator | None = None) -> Tensor:
    """Ten small discs of one colour."""
    B, _, H, W = pictures.shape
    y, x = _axes(pictures)
    centres = _uniform((2, B, DROPS, 1), (0, 1), pictures, generator)
    radii = _uniform((B, DROPS, 1), DROP_RADIUS, pictures, generator) * min(H, W)
    down, across = (y - centres[0] * H).square(), (x - centres[1] * W).square()
    room = radii.clamp_min(1).square() - down  # (B, drops, H): what is left for `across`
    inside = (across[:, :, None] < room[..., None]).any(dim=1)
    return _painted(pictures, inside, generator)


def scratches(pictures: Tensor, generator: Generator | None = None) -> Tensor:
    """One thin line, a little bent, 5 to 50 % of the picture long."""
    B, _, H, W = pictures.shape
    u, v = _turned(pictures, generator, math.pi)
    half = _uniform((B, 1, 1), (0.025, 0.25), pictures, generator) * min(H, W)
    bend = _uniform((B, 1, 1), (-0.3, 0.3), pictures, generator) / half
    width = _uniform((B, 1, 1), (0.004, 0.015), pictures, generator).mul(min(H, W)).clamp_min(1)
    inside = (u.abs() < half) & ((v - bend * u.square()).abs() < width / 2)
    return _painted(pictures, inside, generator)


def gaussian(
    pictures: Tensor, generator: Generator | None = None, *, deviation: float = NOISE
) -> Tensor:
    """White noise over all of the picture."""
    noise = torch.randn(pictures.shape, generator=generator).to(pictures)
    return (pictures + deviation * noise).clamp(0, 1)


def cut_paste(pictures: Tensor, generator: Generator | None = None) -> Tensor:
    """A rectangle of the picture, its colours jittered, pasted somewhere else in it."""
    B, _, H, W = pictures.shape
    area = _uniform((B, 1, 1), PATCH_AREA, pictures, generator) * H * W
    steepest = math.log(PATCH_ASPECT[1])
    aspect = _uniform((B, 1, 1), (-steepest, steepest), pictures, generator).exp()
    size = ((area * aspect).sqrt(), (area / aspect).sqrt())
    return _pasted(pictures, size, 0.0, generator)


def scar(pictures: Tensor, generator: Generator | None = None) -> Tensor:
    """A thin strip of the picture, its colours jittered, turned by up to 45 degrees and pasted."""
    B, _, H, W = pictures.shape
    side = min(H, W)
    width = _uniform((B, 1, 1), SCAR_WIDTH, pictures, generator).mul(side).clamp_min(1)
    length = _uniform((B, 1, 1), SCAR_LENGTH, pictures, generator).mul(side).clamp_min(2)
    return _pasted(pictures, (length, width), math.pi / 4, generator)


def cloud(pictures: Tensor, generator: Generator | None = None) -> Tensor:
    """A ragged region shows another place of the picture, or a colour, more or less through.

    Regions are where smooth noise is high, as in DRAEM (Zavrtanik et al., ICCV 2021), with
    nothing but the picture itself to fill them.
    """
    B, _, H, W = pictures.shape
    cells = int(_uniform((), (3, 9), pictures, generator))
    noise = torch.randn((B, 1, cells, cells), generator=generator).to(pictures)
    smooth = F.interpolate(noise, size=(H, W), mode="bicubic", align_corners=False)[:, 0]
    share = _uniform((B, 1), (0.02, 0.15), pictures, generator)
    ranked = smooth[:, ::4, ::4].flatten(1).sort(dim=1).values
    limit = ranked.gather(1, ((1 - share) * (ranked.shape[1] - 1)).long())
    inside = smooth > limit[:, :, None]
    rows, columns = (int(_uniform((), (0.1, 0.9), pictures, generator) * n) for n in (H, W))
    elsewhere = _jittered(pictures.flip(3).roll((rows, columns), (2, 3)), generator)
    plain = _uniform((B, 1, 1, 1), (0, 1), pictures, generator) < 0.5
    filling = torch.where(plain, _colours(pictures, generator), elsewhere)
    opacity = _uniform((B, 1, 1, 1), (0.3, 1.0), pictures, generator)
    return torch.where(inside[:, None], pictures.lerp(filling, opacity), pictures)


def structural(pictures: Tensor, generator: Generator | None = None) -> Tensor:
    """Stain, scratches or drops, 6 : 2 : 2, as in the AESc paper's mix."""
    return _one_of(pictures, (stain, scratches, drops), (0.6, 0.2, 0.2), generator)


def mixed(pictures: Tensor, generator: Generator | None = None) -> Tensor:
    """One of them all for each picture, large regions as likely as small ones."""
    kinds = (stain, drops, scratches, gaussian, cut_paste, scar, cloud)
    return _one_of(pictures, kinds, (0.25, 0.05, 0.1, 0.05, 0.15, 0.1, 0.3), generator)


CORRUPTIONS: dict[Corruption, Corrupt] = {
    "stain": stain,
    "drops": drops,
    "scratches": scratches,
    "gaussian": gaussian,
    "cut_paste": cut_paste,
    "scar": scar,
    "cloud": cloud,
    "structural": structural,
    "mixed": mixed,
}


def _one_of(
    pictures: Tensor, kinds: Sequence[Corrupt], odds: Sequence[float], generator: Generator | None
) -> Tensor:
    drawn = torch.multinomial(
        torch.tensor(odds), len(pictures), replacement=True, generator=generator
    )
    spoilt = pictures.clone()
    for index, kind in enumerate(kinds):
        which = (drawn == index).nonzero()[:, 0].to(pictures.device)
        if len(which):
            spoilt[which] = kind(pictures[which], generator)
    return spoilt


def _uniform(
    shape: tuple[int, ...], within: tuple[float, float], like: Tensor, generator: Generator | None
) -> Tensor:
    low, high = within
    return low + (high - low) * torch.rand(shape, generator=generator).to(like)


def _axes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Middles of the rows and of the columns, in pixels."""
    H, W = pictures.shape[-2:]
    y, x = (torch.arange(n, device=pictures.device, dtype=pictures.dtype) + 0.5 for n in (H, W))
    return y, x


class _Place(NamedTuple):
    """Coordinates in pixels around a point of each picture, (B, H, W) each."""

    u: Tensor
    v: Tensor


def _turned(pictures: Tensor, generator: Generator | None, most: float) -> _Place:
    """Around a point anywhere in the picture, turned by at most so many radians either way."""
    B, _, H, W = pictures.shape
    y, x = _axes(pictures)
    centre = _uniform((2, B, 1), (0, 1), pictures, generator)
    down, across = (y - centre[0] * H)[:, :, None], (x - centre[1] * W)[:, None, :]
    angle = _uniform((B, 1, 1), (-most, most), pictures, generator)
    return _Place(
        across * angle.cos() + down * angle.sin(), down * angle.cos() - across * angle.sin()
    )


def _around(knots: Tensor, angles: Tensor) -> Tensor:
    """Knots (B, N) spread evenly over a turn, joined by cubics (Catmull-Rom), at (B, H, W).

    Read from a table with `TABLE` entries for each knot: four cubics at every pixel are slow.
    """
    a, b, c, d = (knots.roll(-step, dims=1)[..., None] for step in (-1, 0, 1, 2))
    t = torch.arange(TABLE, device=knots.device) / TABLE
    slope, second, third = c - a, 2 * a - 5 * b + 4 * c - d, 3 * (b - c) + d - a
    table = (b + 0.5 * t * (slope + t * (second + t * third))).flatten(1)
    entries = table.shape[1]
    nearest = (angles * (entries / (2 * math.pi))).round().long() % entries
    return table.gather(1, nearest.flatten(1)).view_as(angles)


def _colours(pictures: Tensor, generator: Generator | None) -> Tensor:
    """A colour for each picture, from gray to garish, (B, C, 1, 1)."""
    B, C = pictures.shape[:2]
    level = _uniform((B, 1, 1, 1), COLOUR, pictures, generator)
    other = _uniform((B, C, 1, 1), COLOUR, pictures, generator)
    garish = _uniform((B, 1, 1, 1), (0, 1 if C > 1 else 0), pictures, generator)
    return level.lerp(other, garish)


def _painted(pictures: Tensor, inside: Tensor, generator: Generator | None) -> Tensor:
    """`inside` (B, H, W) takes a colour that is a little uneven."""
    noise = torch.randn(pictures.shape, generator=generator).to(pictures)
    paint = (_colours(pictures, generator) + TEXTURE * noise).clamp(0, 1)
    return torch.where(inside[:, None], paint, pictures)


def _jittered(patches: Tensor, generator: Generator | None) -> Tensor:
    """Contrast, and brightness of each colour, changed by up to `JITTER`."""
    B, C = patches.shape[:2]
    around = (1 - JITTER, 1 + JITTER)
    gain = _uniform((B, 1, 1, 1), around, patches, generator)
    gains = gain * _uniform((B, C, 1, 1), around, patches, generator)
    contrast = _uniform((B, 1, 1, 1), around, patches, generator)
    middle = patches.mean(dim=(2, 3), keepdim=True)
    return (((patches - middle) * contrast + middle) * gains).clamp(0, 1)


def _pasted(
    pictures: Tensor, size: tuple[Tensor, Tensor], most: float, generator: Generator | None
) -> Tensor:
    """Rectangles of (height, width) in pixels, each (B, 1, 1), go from one place to another."""
    B, _, H, W = pictures.shape
    u, v = _turned(pictures, generator, most)
    inside = (v.abs() < size[0] / 2) & (u.abs() < size[1] / 2)
    share = _uniform((2, B, 1, 1), (0, 1), pictures, generator)
    rows, columns = (
        side / 2 + at * (length - side).clamp_min(0)
        for at, length, side in zip(share, (H, W), size, strict=True)
    )
    grid = torch.stack([2 * (columns + u) / W - 1, 2 * (rows + v) / H - 1], dim=-1)
    source = F.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return torch.where(inside[:, None], _jittered(source, generator), pictures)
