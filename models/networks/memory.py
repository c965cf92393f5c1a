"""A memory of normal latents: whatever is put in comes out as a mixture of what it holds.

Gong et al., "Memorizing Normality to Detect Anomaly", ICCV 2019, arXiv:1904.02639, section 3.3.
Different: the threshold of the shrinkage is never above half of the largest weight. With the
published 0.0025 and 2000 items (5/N) a flat softmax shrinks to nothing: the decoder then sees
zeros and no gradient reaches the encoder.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Addressing = Literal["cosine", "dot"]


@dataclass(frozen=True)
class Recall:
    """What a memory answered."""

    latents: Tensor  # (B, C, ...)
    weights: Tensor  # (B, N, ...), summing to 1 along dim 1


class Memory(nn.Module):
    """`items` latents of `width` channels, addressed by likeness.

    Args:
        items: N.
        width: Channels of the latents, C.
        shrinkage: Weights below it become 0; between 1/N and 3/N in the paper.
        addressing: "cosine" as in the paper, or "dot" as in its published code.
        sharpness: What a cosine is multiplied with before the softmax (paper: 1). Cosines lie
            within 1 of 0, so at 1 no item of a thousand can ever stand out.
    """

    def __init__(
        self,
        items: int,
        width: int,
        *,
        shrinkage: float | None = None,
        addressing: Addressing = "cosine",
        sharpness: float = 1.0,
    ) -> None:
        super().__init__()
        self.shrinkage = 2 / items if shrinkage is None else shrinkage
        self.addressing, self.sharpness = addressing, sharpness
        bound = 1 / math.sqrt(width)
        self.items = nn.Parameter(torch.empty(items, width).uniform_(-bound, bound))

    def forward(self, latents: Tensor) -> Recall:
        """Answer latents (B, C, ...), each place by itself."""
        asked = latents.movedim(1, -1)  # (B, ..., C)
        weights = shrink(self._likeness(asked).softmax(dim=-1), self.shrinkage)
        return Recall((weights @ self.items).movedim(-1, 1), weights.movedim(-1, 1))

    def _likeness(self, asked: Tensor) -> Tensor:
        if self.addressing == "dot":
            return asked @ self.items.T
        return self.sharpness * F.normalize(asked, dim=-1) @ F.normalize(self.items, dim=-1).T


def shrink(weights: Tensor, threshold: float) -> Tensor:
    """Hard shrinkage along the last dim (MemAE eq. 6, 7); the largest weight always survives.

    Returns:
        Weights of the same shape, none negative, rows summing to 1.
    """
    limit = (0.5 * weights.detach().amax(dim=-1, keepdim=True)).clamp_max(threshold)
    above = weights - limit
    kept = above.relu() * weights / (above.abs() + 1e-12)
    return kept / kept.sum(dim=-1, keepdim=True)
