"""Error maps of single pictures: smoothed, held against the usual of their place, made one score.

Knows maps (B, H, W) only. Unlike `models.usual`, which serves cameras with a perspective, it
learns the usual place by place: a product lies where the last one lay, and its rim, where every
reconstruction fails a little, is some pixels wide. Where nothing is fixed (a texture), all places
come out alike and the division changes nothing.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from models.blur import gaussian_blur
from models.usual import moments

SIGMA = 4 / 256  # of the height: the blur of PatchCore and PaDiM, who work at about 256 pixels
FLOOR = 1.0  # times the mean deviation, added everywhere: few held-out pictures know little
TOP = 0.005  # share of a map's places that makes the score: a defect 9 px wide at 128 x 128


class UsualPlaces(nn.Module):
    """Mean and deviation of blurred error maps at each place; then gives z-maps."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: tuple[int, int], *, sigma: float = SIGMA) -> None:
        """`size` of the maps; `sigma` of the blur, as a share of their height."""
        super().__init__()
        self.sigma = sigma
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    @torch.no_grad()
    def fit(self, maps: Iterable[Tensor]) -> None:
        """Learn from batches (B, H, W) of maps of normal pictures, held out from training.

        Raises:
            TrainingError: If there is none.
        """
        mean, variance = moments((blur(batch, self.sigma) for batch in maps), like=self.mean)
        self.mean.copy_(mean)
        self.deviation.copy_(blur(variance[None].float(), self.sigma)[0].sqrt())

    def forward(self, maps: Tensor) -> Tensor:
        """How many deviations the blurred error at each place lies above the usual, (B, H, W)."""
        scale = self.deviation + FLOOR * self.deviation.mean() + 1e-6
        return (blur(maps, self.sigma) - self.mean) / scale


def blur(maps: Tensor, sigma: float = SIGMA) -> Tensor:
    """Gaussian blur of (B, H, W), reflected at the rim; `sigma` is a share of the height."""
    return gaussian_blur(maps, max(0.5, sigma * maps.shape[-2]))


def top_mean(maps: Tensor, share: float = TOP) -> Tensor:
    """Mean over the highest `share` of each map's places, (B,)."""
    flat = maps.flatten(1)
    return flat.topk(max(1, round(share * flat.shape[1])), dim=1).values.mean(dim=1)
