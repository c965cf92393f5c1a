"""What still-image autoencoders share: a picture against its rebuilding, seen in two ways.

Colour alone overlooks a scratch that is as bright as its surroundings, edges alone overlook a
stain without a rim; each is held against what is usual at its place, and then they add up. In
DRAEM's ablation (ICCV 2021, arXiv:2108.07610) edges are worth 7 points of AUROC over SSIM.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from models.detector import Clips
from models.similarity import absolute_error, gradient_similarity_map, ssim_map
from models.still_maps import UsualPlaces

Loss = Literal["mse", "ssim", "both"]
Measure = Literal["colour", "edges", "both"]
Pair = tuple[Tensor, Tensor]  # (B, C, H, W) each: rebuilt, and as it is
SSIM_WEIGHT = 0.02  # beside the squared error: about as steep, on pictures half learned


def rebuilding_losses(rebuilt: Tensor, pictures: Tensor, loss: Loss) -> dict[str, Tensor]:
    """Squared error, 1 - SSIM over 11 pixels, or both, by name."""
    terms: dict[str, Tensor] = {}
    if loss != "ssim":
        terms["squared"] = (rebuilt - pictures).square().mean()
    if loss != "mse":
        weight = SSIM_WEIGHT if loss == "both" else 1.0
        terms["ssim"] = weight * (1 - ssim_map(rebuilt, pictures, 11).mean())
    return terms


class Rebuilding(nn.Module):
    """How unusual the differences between pictures and their rebuildings are, place by place."""

    def __init__(self, size: tuple[int, int], measure: Measure) -> None:
        super().__init__()
        self.colour = UsualPlaces(size) if measure != "edges" else None
        self.edges = UsualPlaces(size) if measure != "colour" else None

    @torch.no_grad()
    def fit(self, rebuild: Callable[[Tensor], Pair], held_out: Clips) -> None:
        """Learn the usual from normal clips, which `rebuild` turns into (rebuilt, pictures).

        Raises:
            TrainingError: If there is none.
        """
        if self.colour is not None:
            self.colour.fit(absolute_error(*rebuild(clips)) for clips in held_out)
        if self.edges is not None:
            self.edges.fit(edge_error(*rebuild(clips)) for clips in held_out)

    def forward(self, rebuilt: Tensor, pictures: Tensor) -> Tensor:
        """Deviations over the usual, (B, H, W); the mean of both ways to see."""
        maps = []
        if self.colour is not None:
            maps.append(self.colour(absolute_error(rebuilt, pictures)))
        if self.edges is not None:
            maps.append(self.edges(edge_error(rebuilt, pictures)))
        return torch.stack(maps).mean(dim=0)


def edge_error(rebuilt: Tensor, pictures: Tensor) -> Tensor:
    """How unlike edges are, over four scales, (B, H, W) in [0, 1)."""
    return 1 - gradient_similarity_map(rebuilt, pictures)
