"""Autoencoders of single pictures: halve and double, with additive skips or a bottleneck.

The layers follow Collin and De Vleeschouwer, ICPR 2020, arXiv:2008.12977: strided convolutions
with batch norm and leaky ReLU down, nearest upsampling and convolutions up, a sigmoid at the end.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn


class PictureEncoder(nn.ModuleList):
    """(B, C, H, W) -> one tensor for each level, finest first, each of half the sides."""

    def __init__(self, channels: int, widths: Sequence[int], kernel: int) -> None:
        inputs = [channels, *widths]
        super().__init__(
            nn.Sequential(
                nn.Conv2d(a, b, kernel, stride=2, padding=kernel // 2, bias=False), *_active(b)
            )
            for a, b in zip(inputs, widths, strict=False)
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """What every level sees."""
        x = pictures.contiguous(memory_format=torch.channels_last)
        levels = []
        for level in self:
            x = level(x)
            levels.append(x)
        return levels


class PictureDecoder(nn.Module):
    """The deepest level -> (B, C, H, W) in (0, 1); skips, where given, are added level by level."""

    def __init__(self, channels: int, widths: Sequence[int], kernel: int) -> None:
        super().__init__()
        deepest_first = list(widths)[::-1]
        self.up = nn.ModuleList(
            nn.Sequential(_doubled(a, b, kernel), *_active(b))
            for a, b in itertools.pairwise(deepest_first)
        )
        self.out = _doubled(widths[0], channels, kernel)

    def forward(self, deepest: Tensor, skips: Sequence[Tensor] = ()) -> Tensor:
        """`skips` are the levels above the deepest, finest first as the encoder gives them."""
        x = deepest
        for index, up in enumerate(self.up):
            x = up(x)
            if skips:
                x = x + skips[-1 - index]
        return self.out(x).sigmoid()


class PictureAutoencoder(nn.Module):
    """(B, C, H, W) in [0, 1] -> the same; sides a multiple of 2 to the number of `widths`.

    With `skips`, what each level saw is added on the way up. With `squeeze`, the size of the
    pictures and a number N, nothing but N numbers gets through in the middle.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        *,
        kernel: int = 5,
        skips: bool = False,
        squeeze: tuple[tuple[int, int], int] | None = None,
    ) -> None:
        super().__init__()
        self.skips = skips
        self.squeeze: nn.Module = nn.Identity() if squeeze is None else Squeeze(widths, *squeeze)
        self.encode = PictureEncoder(channels, widths, kernel)
        self.decode = PictureDecoder(channels, widths, kernel)
        self.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """The pictures as they were rebuilt."""
        return self._decoded(self.encode(pictures))

    def sampled(self, pictures: Tensor, rates: Sequence[float], generator: Generator) -> Tensor:
        """Rebuilt with a share of what each level sees left out, the same for every picture.

        `rates` are for the levels, finest first. `generator` is on the CPU.
        """
        x = pictures.contiguous(memory_format=torch.channels_last)
        levels = []
        for level, rate in zip(self.encode, rates, strict=True):
            x = level(x)
            if rate > 0:
                kept = torch.rand(x.shape[1:], generator=generator) >= rate
                x = x * (kept.to(x) / (1 - rate))
            levels.append(x)
        return self._decoded(levels)

    def _decoded(self, levels: Sequence[Tensor]) -> Tensor:
        deepest = self.squeeze(levels[-1])
        return self.decode(deepest, levels[:-1] if self.skips else ())


class Squeeze(nn.Sequential):
    """The deepest level of pictures of `size` through `latent` numbers, and back to its shape."""

    def __init__(self, widths: Sequence[int], size: tuple[int, int], latent: int) -> None:
        shape = deepest_shape(widths, size)
        count = math.prod(shape)
        super().__init__(
            nn.Flatten(), nn.Linear(count, latent), nn.Linear(latent, count), nn.Unflatten(1, shape)
        )


def deepest_shape(widths: Sequence[int], size: tuple[int, int]) -> tuple[int, int, int]:
    """(C, H, W) of the deepest level for pictures of `size`."""
    shrunk = 2 ** len(widths)
    return widths[-1], size[0] // shrunk, size[1] // shrunk


def _doubled(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(in_channels, out_channels, kernel, padding="same")
    )


def _active(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(width), nn.LeakyReLU(0.2)
