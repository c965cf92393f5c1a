"""Three-dimensional convolutional coders of clips; time is the first of the three dimensions.

Channels come last in memory, which halves the time of a training step on a CPU.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Triple = tuple[int, int, int]  # of time, height, width


def channels_first(clips: Tensor, unshuffle: int = 1) -> Tensor:
    """(B, T, C, H, W) -> (B, C n^2, T, H/n, W/n): squares of n x n pixels become channels."""
    volumes = F.pixel_unshuffle(clips, unshuffle).transpose(1, 2)
    return volumes.contiguous(memory_format=torch.channels_last_3d)


def channels_third(volumes: Tensor, unshuffle: int = 1) -> Tensor:
    """The way back from `channels_first`."""
    return F.pixel_shuffle(volumes.transpose(1, 2), unshuffle)


class Encoder3d(nn.Sequential):
    """Convolutions of 3^3 with batch norm and leaky ReLU, each with a stride of its own."""

    def __init__(self, channels: int, widths: Sequence[int], strides: Sequence[Triple]) -> None:
        layers: list[nn.Module] = []
        for width, stride in zip(widths, strides, strict=True):
            layers += [nn.Conv3d(channels, width, 3, stride, padding=1), *_activation(width)]
            channels = width
        super().__init__(*layers)
        self.to(memory_format=torch.channels_last_3d)


class PoolingEncoder3d(nn.Sequential):
    """Convolutions of 3^3 as above, each followed by a max-pooling; the last one by none."""

    def __init__(self, channels: int, widths: Sequence[int], pools: Sequence[Triple]) -> None:
        layers: list[nn.Module] = []
        for width, pool in zip(widths, [*pools, (1, 1, 1)], strict=True):
            layers += [nn.Conv3d(channels, width, 3, padding=1), *_activation(width)]
            layers += [nn.MaxPool3d(pool)]
            channels = width
        super().__init__(*layers[:-1])
        self.to(memory_format=torch.channels_last_3d)


class Decoder3d(nn.Sequential):
    """Transposed convolutions that enlarge by their strides; the last one is bare.

    `widths` are the outputs of the layers, the last of them the clip's channels.
    """

    def __init__(self, channels: int, widths: Sequence[int], strides: Sequence[Triple]) -> None:
        layers: list[nn.Module] = []
        for width, stride in zip(widths, strides, strict=True):
            layers += [_enlarge(channels, width, stride), *_activation(width)]
            channels = width
        super().__init__(*layers[: -len(_activation(channels))])
        self.to(memory_format=torch.channels_last_3d)


def _enlarge(in_channels: int, out_channels: int, stride: Triple) -> nn.ConvTranspose3d:
    t, y, x = (step - 1 for step in stride)  # what makes the size exactly `stride` times larger
    return nn.ConvTranspose3d(
        in_channels, out_channels, 3, stride, padding=1, output_padding=(t, y, x)
    )


def _activation(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm3d(width), nn.LeakyReLU(0.2, inplace=True)
