"""Residual networks small enough to be learned from scratch on a CPU.

Blocks as in He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
arXiv:1512.03385. Different: squares of 2 x 2 pixels become channels in place of the 7 x 7
convolution and the pooling, which lose what is small.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm beside a short cut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        same = stride == 1 and in_channels == out_channels
        self.short_cut = nn.Identity() if same else _projection(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        return (self.body(x) + self.short_cut(x)).relu()


def _projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
    )


class ResidualEncoder(nn.Module):
    """Pictures (B, C, H, W) to features at 1/2, 1/4, ... of the resolution, one per width."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        inner = [4 * channels, *widths]
        self.multiple = 2 ** len(widths)  # sides of the pictures are multiples of it
        self.levels = nn.ModuleList(
            ResidualBlock(a, b, stride=1 if level == 0 else 2)
            for level, (a, b) in enumerate(pairwise(inner))
        )
        self.to(memory_format=torch.channels_last)  # 1.7 times as fast to train on a CPU

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Finest first; pictures in [0, 1]."""
        x = F.pixel_unshuffle(2 * pictures - 1, 2).contiguous(memory_format=torch.channels_last)
        found: list[Tensor] = []
        for level in self.levels:
            x = level(x)
            found.append(x)
        return found


class ResidualDecoder(nn.Module):
    """Features of a `ResidualEncoder` back to one picture of logits.

    The finer features join in on the way up; without `skips` all has to come through the coarsest.
    """

    def __init__(self, widths: Sequence[int], *, skips: bool = True) -> None:
        super().__init__()
        coarse = list(widths[::-1])
        self.skips = skips
        self.levels = nn.ModuleList(
            ResidualBlock(below + skips * here, here) for below, here in pairwise(coarse)
        )
        self.out = nn.Conv2d(widths[0], 4, 3, padding=1)
        self.to(memory_format=torch.channels_last)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits (B, 1, H, W) at the resolution of the pictures."""
        x = features[-1]
        for level, finer in zip(self.levels, features[-2::-1], strict=True):
            x = F.interpolate(x, finer.shape[-2:], mode="bilinear", align_corners=False)
            x = level(torch.cat([x, finer], dim=1) if self.skips else x)
        return F.pixel_shuffle(self.out(x), 2)
