"""Means around each place of a picture."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def box_blur(maps: Tensor, window: int) -> Tensor:
    """Mean over a square of `window` pixels around each place, (..., H, W); only what is inside.

    As two products with matrices of means: on a CPU six times as fast as pooling with stride 1.
    """
    if window == 1:
        return maps
    H, W = maps.shape[-2:]
    down, across = means(H, window), means(W, window).T
    return torch.from_numpy(down).to(maps) @ maps @ torch.from_numpy(across).to(maps)


@lru_cache(maxsize=32)
def means(side: int, window: int) -> NDArray[np.float32]:
    """(side, side): a row is the mean over `window` places around its own, as far as they are."""
    places = np.arange(side)
    offset = places - places[:, None]
    near = (offset >= -(window // 2)) & (offset < window - window // 2)
    return (near / near.sum(axis=1, keepdims=True)).astype(np.float32)
