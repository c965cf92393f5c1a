"""Encoder, generator and discriminator of single pictures, as in DCGAN.

Radford, Metz and Chintala, ICLR 2016, arXiv:1511.06434: convolutions of 4 x 4 that halve or double
the sides, weights from N(0, 0.02). Pictures are in [-1, 1] here. Knows no detector.
"""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.errors import OptionError

MULTIPLE = 16  # of pixels, that sides have to be
SMALLEST = 4  # side of the smallest grid, as published
WIDEST = 8  # times the width; deeper layers of large pictures grow no wider


class Verdict(NamedTuple):
    """What a discriminator says of pictures."""

    logits: Tensor  # (B,), high for real
    features: Tensor  # (B, F), its last layer but one


def refuse_sides(name: str, size: tuple[int, int]) -> None:
    """Check that the networks can be built.

    Raises:
        OptionError: If a side is no multiple of 16, or under 32.
    """
    if any(side % MULTIPLE or side < 2 * MULTIPLE for side in size):
        raise OptionError(
            f"{name} needs sides that are multiples of {MULTIPLE}, {2 * MULTIPLE} or more, "
            f"got {size[0]} x {size[1]}"
        )


def grid_of(size: tuple[int, int]) -> tuple[int, int, int]:
    """How often the sides are halved, and the height and width that are left then."""
    height, width = size
    levels = 0
    while not (height % 2 or width % 2) and min(height, width) // 2 >= SMALLEST:
        height, width, levels = height // 2, width // 2, levels + 1
    return levels, height, width


def widths_of(width: int, levels: int) -> list[int]:
    """Channels after each halving."""
    return [width * min(2**level, WIDEST) for level in range(levels)]


class PictureEncoder(nn.Module):
    """(B, C, H, W) -> latents (B, Z), unbounded."""

    def __init__(self, size: tuple[int, int], channels: int, width: int, latent: int) -> None:
        super().__init__()
        self.layers, features = halving(size, channels, width, normalised=True)
        self.head = nn.Linear(features, latent)
        self.apply(initialise)

    def forward(self, pictures: Tensor) -> Tensor:
        """Where pictures lie."""
        return self.head(self.layers(pictures))


class PictureGenerator(nn.Module):
    """Latents (B, Z) -> pictures (B, C, H, W) in (-1, 1)."""

    def __init__(self, size: tuple[int, int], channels: int, width: int, latent: int) -> None:
        super().__init__()
        levels, *grid = grid_of(size)
        widths = widths_of(width, levels)[::-1]
        self.grid = (widths[0], *grid)
        self.first = nn.Linear(latent, widths[0] * grid[0] * grid[1], bias=False)
        self.layers = nn.Sequential(nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True))
        for before, after in itertools.pairwise(widths):
            self.layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False))
            self.layers.extend([nn.BatchNorm2d(after), nn.ReLU(inplace=True)])
        self.layers.extend([nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1), nn.Tanh()])
        self.layers.to(memory_format=torch.channels_last)  # half the time of one picture on a CPU
        self.apply(initialise)

    def forward(self, latents: Tensor) -> Tensor:
        """The pictures that lie there."""
        grid = self.first(latents).unflatten(1, self.grid)
        return self.layers(grid.contiguous(memory_format=torch.channels_last))


class PictureDiscriminator(nn.Module):
    """(B, C, H, W) -> logits and features; `normalised` False for a critic with a penalty."""

    def __init__(
        self, size: tuple[int, int], channels: int, width: int, *, normalised: bool = True
    ) -> None:
        super().__init__()
        self.layers, features = halving(size, channels, width, normalised=normalised)
        self.head = nn.Linear(features, 1)
        self.apply(initialise)

    def forward(self, pictures: Tensor) -> Verdict:
        """Whether they look real."""
        features = self.layers(pictures)
        return Verdict(self.head(features)[:, 0], features)


def halving(
    size: tuple[int, int], channels: int, width: int, *, normalised: bool
) -> tuple[nn.Sequential, int]:
    """Convolutions down to the smallest grid, flattened, and how many features that makes."""
    levels, height, across = grid_of(size)
    widths = widths_of(width, levels)
    stack: list[nn.Module] = []
    for level, (before, after) in enumerate(zip([channels, *widths], widths, strict=False)):
        bare = level == 0 or not normalised
        stack.append(nn.Conv2d(before, after, 4, 2, 1, bias=bare))
        stack += [] if bare else [nn.BatchNorm2d(after)]
        stack.append(nn.LeakyReLU(0.2, inplace=True))
    layers = nn.Sequential(*stack, nn.Flatten())
    return layers.to(memory_format=torch.channels_last), widths[-1] * height * across


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), of batch norm from N(1, 0.02), as published."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def signed(pictures: Tensor) -> Tensor:
    """From [0, 1] to the [-1, 1] that the networks work with."""
    return 2 * pictures - 1


def unit(pictures: Tensor) -> Tensor:
    """The way back from `signed`."""
    return (pictures + 1) / 2
