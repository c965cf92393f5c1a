"""A world of one moving square, seconds to learn, for testing detectors."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.detector import ClipSpec


@dataclass(frozen=True)
class Scene:
    """Clips and, for each, where in the target frame the intruder is."""

    clips: Tensor  # (B, T, C, H, W)
    intruder: Tensor  # (B, H, W) of bool; all False in normal clips


def normal_clips(spec: ClipSpec, count: int, seed: int) -> Tensor:
    """A bright square walks right, a pixel a frame, over a pavement with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    H, W = spec.size
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    pavement = 0.4 + 0.1 * (x / 3.0).sin() * (y / 4.0).cos()
    clips = pavement.repeat(count, spec.length, 1, 1)
    rows = torch.randint(2, H - 8, (count,), generator=generator)
    columns = torch.randint(0, W, (count,), generator=generator)
    for clip, row, column in zip(clips, rows.tolist(), columns.tolist(), strict=True):
        for t, frame in enumerate(clip):
            across = (torch.arange(6) + column + t * spec.stride) % W
            frame[row : row + 6, across] = 0.8
    clips += 0.01 * torch.randn(clips.shape, generator=generator)
    return clips.clamp(0, 1)[:, :, None].repeat(1, 1, spec.channels, 1, 1)


def invaded(spec: ClipSpec, count: int, seed: int, side: int = 10) -> Scene:
    """The same world, with a chequered thing that comes the other way, two pixels a frame."""
    clips = normal_clips(spec, count, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    H, W = spec.size
    intruder = torch.zeros(count, H, W, dtype=torch.bool)
    cheques = ((torch.arange(side)[:, None] // 3 + torch.arange(side) // 3) % 2).float()
    target = spec.length + spec.target
    for clip, place in zip(clips, intruder, strict=True):
        row = int(torch.randint(0, H - side, (1,), generator=generator))
        most = max(5, min(W - side - 4, W - side - 2 * target))  # it comes from there, whole
        column = int(torch.randint(4, most, (1,), generator=generator))
        for t, frame in enumerate(clip):
            left = min(max(column - 2 * (t - target), 0), W - side)
            frame[:, row : row + side, left : left + side] = cheques
        place[row : row + side, column : column + side] = True
    return Scene(clips, intruder)
