"""Patch discriminator: says of each patch of a single picture whether it is real.

Isola et al., CVPR 2017, arXiv:1611.07004, as used by Liu et al., CVPR 2018: no normalisation.
"""

from torch import Tensor, nn

LAYERS = ((1, 2), (2, 2), (4, 2), (4, 1))  # multiple of the width, stride


class PatchDiscriminator(nn.Module):
    """(B, C, H, W) -> (B, 1, h, w) in (0, 1), 1 for real; 256 x 256 gives 35 x 35."""

    def __init__(self, channels: int = 3, width: int = 128) -> None:
        super().__init__()
        stack: list[nn.Module] = []
        for multiple, stride in LAYERS:
            stack += [_patches(channels, multiple * width, stride), nn.LeakyReLU(0.2)]
            channels = multiple * width
        self.layers = nn.Sequential(*stack, _patches(channels, 1, 1), nn.Sigmoid())

    def forward(self, pictures: Tensor) -> Tensor:
        """Verdicts on the pictures' patches."""
        return self.layers(pictures)


def _patches(in_channels: int, out_channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 4, stride, padding=2, padding_mode="reflect")
