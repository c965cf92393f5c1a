"""Errors judged against what is usual at their place.

A pavement is foreseen to the last grey level, a tree in the wind never is: the same error is
alarming at the one and nothing at the other. Knows maps (B, H, W) only, not where they come from.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from models.blur import box_blur, gaussian_blur
from models.errors import TrainingError

FLOOR = 3.0  # times the mean deviation, added everywhere, or places that hardly err shout loudest:
# worst windows on UCSD Ped2 gave AUROC 0.63 with 0.3, 0.73 with 1, 0.80 with 3
REACH = 2.0  # deviations, of the Gaussians here
SPREAD = (1 / 16, 1 / 8)  # of height, width: perspective changes errors down the picture most

# frame: mean error of the whole frame. window: mean error of the worst window, which does not
# overlook what is small. both: the geometric mean of these two. local: how far the worst window
# lies above what is usual at its place. contrast: windows' errors over the contrast there, as
# black trousers are no worse than grey ones; then a mean that leans to the worst window.
Rule = Literal["frame", "window", "both", "local", "contrast"]
CONTRAST_FLOOR = 0.05  # grey levels of [0, 1]; an error in a plain place is over nothing else
ORDER = 8  # of the generalised mean: 1 is the whole frame alike, infinity the worst window alone


@dataclass(frozen=True)
class Judgement:
    """What errors come to; `terms` has "mean_error" and "worst_window" whatever the rule."""

    scores: Tensor  # (B,)
    maps: Tensor  # (B, H, W): mean errors of windows, or deviations from the usual
    terms: dict[str, Tensor]  # each (B,)


class Usual(nn.Module):
    """Mean and deviation of maps at each place, learned from normal ones; then gives z-maps.

    Maps are averaged over a window first, so that a z-map speaks of windows and not of pixels:
    one wild pixel is noise, a patch of them is a thing.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: tuple[int, int], window: int = 1, *, floor: float = FLOOR) -> None:
        """`size` of the maps and side of the square `window`, in pixels."""
        super().__init__()
        self.window, self.floor = window, floor
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    @torch.no_grad()
    def fit(self, maps: Iterable[Tensor]) -> None:
        """Learn from batches (B, H, W) of maps of normal frames, held out from training.

        Raises:
            TrainingError: If there is none.
        """
        windows = (box_blur(batch, self.window) for batch in maps)
        mean, variance = moments(windows, like=self.mean)
        self.mean.copy_(smooth(mean))
        self.deviation.copy_(smooth(variance).clamp_min(0).sqrt())

    def forward(self, maps: Tensor) -> Tensor:
        """How many deviations each window around a place lies above what is usual, (B, H, W)."""
        scale = self.deviation + self.floor * self.deviation.mean() + 1e-6
        return (box_blur(maps, self.window) - self.mean) / scale


def moments(maps: Iterable[Tensor], *, like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of batches (B, H, W) at each place, (H, W) each, float64, where `like` is.

    Raises:
        TrainingError: If there is no batch.
    """
    count = 0
    total = torch.zeros_like(like, dtype=torch.float64)
    squares = torch.zeros_like(total)
    for batch in maps:
        count += len(batch)
        total += batch.double().sum(dim=0)
        squares += batch.double().square().sum(dim=0)
    if count == 0:
        raise TrainingError("there is no held-out clip to learn the usual errors from")
    mean = total / count
    return mean, (squares / count - mean.square()).clamp_min(0)


def judge(errors: Tensor, target: Tensor, rule: Rule, usual: Usual) -> Judgement:
    """Scores and maps from error maps (B, H, W) of the target (B, C, H, W); see `Rule`."""
    blurred = box_blur(errors, usual.window)
    terms = {"mean_error": errors.mean(dim=(1, 2)), "worst_window": worst(blurred)}
    if rule == "local":
        maps = usual(errors)
        return Judgement(worst(maps), maps, terms)
    if rule == "contrast":
        maps = blurred / contrast(target.mean(dim=1), usual.window)
        return Judgement(maps.pow(ORDER).mean(dim=(1, 2)).pow(1 / ORDER), maps, terms)
    mean, highest = terms.values()
    scores = {"frame": mean, "window": highest, "both": (mean * highest).sqrt()}
    return Judgement(scores[rule], blurred, terms)


def contrast(pictures: Tensor, window: int) -> Tensor:
    """How much grey levels differ from their surroundings, in the window around each place.

    `pictures` and result (B, H, W). Root of the mean square, not under `CONTRAST_FLOOR`.
    """
    surroundings = gaussian_blur(pictures, max(0.5, 3 / 8 * window), REACH)
    return (box_blur((pictures - surroundings).square(), window) + CONTRAST_FLOOR**2).sqrt()


def smooth(picture: Tensor) -> Tensor:
    """Blend each place of (H, W) with its neighbours, wider across than down (see `SPREAD`)."""
    down, across = (
        max(0.5, share * side) for share, side in zip(SPREAD, picture.shape, strict=True)
    )
    return gaussian_blur(picture, (down, across), REACH)


def worst(maps: Tensor) -> Tensor:
    """The highest place of each map, (B,)."""
    return maps.amax(dim=(1, 2))


@torch.no_grad()
def mean_picture(clips: Iterable[Tensor], batches: int = 64) -> Tensor:
    """The mean frame (C, H, W) of the first so many batches (B, T, C, H, W).

    Raises:
        TrainingError: If there is none.
    """
    means = [batch.mean(dim=(0, 1)) for batch in itertools.islice(clips, batches)]
    if not means:
        raise TrainingError("there is no clip to learn from")
    return torch.stack(means).mean(dim=0)
