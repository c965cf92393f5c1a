"""A world of still pictures, seconds to learn, for testing detectors."""

import torch
from torch import Tensor

from models.detector import ClipSpec
from tests.models.world import Scene

SQUARE = 6  # pixels a side of the bright thing that belongs there
INTRUDER = 10


def calm_pictures(spec: ClipSpec, count: int, seed: int) -> Tensor:
    """A bright square somewhere on a woven ground that darkens downwards, with a little noise.

    (B, 1, C, H, W) in [0, 1]. Colour pictures have a warm ground and a white square.
    """
    generator = torch.Generator().manual_seed(seed)
    H, W = spec.size
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    ground = 0.55 - 0.3 * y / H + 0.08 * (x / 2.0).sin() * (y / 2.5).cos()
    tint = torch.tensor([1.1, 1.0, 0.9] if spec.channels == 3 else [1.0])
    pictures = (tint[:, None, None] * ground).repeat(count, 1, 1, 1)
    for picture, (row, column) in zip(pictures, _places(spec, count, generator), strict=True):
        picture[:, row : row + SQUARE, column : column + SQUARE] = 0.8
    pictures += 0.01 * torch.randn(pictures.shape, generator=generator)
    return pictures.clamp(0, 1)[:, None]


def spoilt_pictures(spec: ClipSpec, count: int, seed: int) -> Scene:
    """The same world, with a chequered patch somewhere."""
    pictures = calm_pictures(spec, count, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    intruder = torch.zeros(count, *spec.size, dtype=torch.bool)
    across = torch.arange(INTRUDER) // 3
    cheques = ((across[:, None] + across) % 2).float()
    places = _places(spec, count, generator, side=INTRUDER)
    for picture, place, (row, column) in zip(pictures[:, 0], intruder, places, strict=True):
        here = (slice(row, row + INTRUDER), slice(column, column + INTRUDER))
        picture[:, *here] = cheques
        place[here] = True
    return Scene(pictures, intruder)


def _places(
    spec: ClipSpec, count: int, generator: torch.Generator, side: int = SQUARE
) -> list[tuple[int, int]]:
    """Top left corners of squares that are whole in the picture."""
    H, W = spec.size
    rows = torch.randint(0, H - side + 1, (count,), generator=generator).tolist()
    columns = torch.randint(0, W - side + 1, (count,), generator=generator).tolist()
    return list(zip(rows, columns, strict=True))
