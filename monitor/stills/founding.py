"""The founding experiment: two networks learn one picture, and the defect is what they learn last.

A convolutional autoencoder and an implicit representation (`inr`) are each fitted to the same
single picture. Both draw what is smooth and common first; where the residual stays longest, over
the epochs, is what is odd in the picture. An epoch is one step on the whole picture.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray
from torch import Tensor

from models.networks.picture import PictureAutoencoder
from models.networks.siren import Siren, fitted_pictures
from models.similarity import absolute_error
from monitor.errors import UsageError
from monitor.evaluation.drawing import (
    FAINT,
    GREEN,
    INK,
    SERIES,
    list_names,
    name_axes,
    new_figure,
    plain_axes,
    png,
    say,
)
from monitor.files import write_atomically

LONGEST = 128  # pixels of the longer side that is fitted
MULTIPLE = 16  # of the sides: the autoencoder halves them four times
LOOKS = 24  # at most, evenly spread over the powers of the epoch
SHOWN = 6  # of the looks as maps
WIDTHS = (16, 32, 64, 64)
RATE = 1e-3

Fit = Callable[[Tensor, Sequence[int]], Iterator[Tensor]]


@dataclass(frozen=True, eq=False)
class Fitting:
    """How one network came to know the picture."""

    detector: str
    epochs: tuple[int, ...]  # at which it was looked at
    residuals: NDArray[np.float32]  # (epochs, H, W), absolute, mean over colour
    inside: NDArray[np.float32] | None  # (epochs,), mean residual in the mask; None without one
    outside: NDArray[np.float32]  # (epochs,), outside it, or of the whole picture

    @property
    def contrast(self) -> NDArray[np.floating] | None:
        """How many times worse the defect is drawn than the rest, (epochs,)."""
        return None if self.inside is None else self.inside / np.maximum(self.outside, 1e-6)


@dataclass(frozen=True, eq=False)
class Founding:
    """The picture as it was fitted, and what each network made of it."""

    picture: NDArray[np.float32]  # (H, W, C) in [0, 1]
    mask: NDArray[np.bool_] | None  # (H, W)
    fittings: tuple[Fitting, ...]


def residuals_over_epochs(
    picture: Tensor,
    mask: Tensor | None = None,
    *,
    detectors: Sequence[str] = ("cae", "inr"),
    epochs: int = 300,
    seed: int = 0,
) -> Founding:
    """Fit each of the detectors' networks to one picture, and watch the residual shrink.

    Args:
        picture: (C, H, W) in [0, 1], C 1 or 3; drawn smaller if a side is over 128.
        mask: (H, W), where the defect is; without one there is one curve of each.
        detectors: Of "cae", "inr".
        epochs: Steps on the whole picture.
        seed: Of the autoencoder's first weights.

    Raises:
        UsageError: If the mask has another size or marks nothing, or a detector is another.
    """
    fits: dict[str, Fit] = {"cae": _autoencoder(seed), "inr": _sines}
    for name in detectors:
        if name not in fits:
            raise UsageError(f"the founding experiment has {', '.join(fits)}; got {name!r}")
    small = _small(picture.float(), "area")
    defect = None if mask is None else _defect(mask, picture, small)
    looks = looks_at(epochs)
    fittings = tuple(_watched(name, fits[name], small, defect, looks) for name in detectors)
    shown = None if defect is None else defect.numpy()
    return Founding(small.permute(1, 2, 0).numpy(), shown, fittings)


def looks_at(epochs: int) -> tuple[int, ...]:
    """Up to `LOOKS` epochs from 1 to the last, closer together in the beginning."""
    spread = np.geomspace(1, epochs, LOOKS).round().astype(int)
    return tuple(sorted({int(epoch) for epoch in spread}))


def _watched(
    name: str, fit: Fit, picture: Tensor, defect: Tensor | None, looks: Sequence[int]
) -> Fitting:
    drawn = torch.cat(list(fit(picture[None], looks)))
    residuals = absolute_error(drawn.clamp(0, 1), picture.expand_as(drawn))
    inside = None if defect is None else residuals[:, defect].mean(dim=1).numpy()
    rest = torch.ones_like(residuals[0], dtype=torch.bool) if defect is None else ~defect
    outside = residuals[:, rest].mean(dim=1).numpy()
    return Fitting(name, tuple(looks), residuals.numpy(), inside, outside)


def _sines(picture: Tensor, looks: Sequence[int]) -> Iterator[Tensor]:
    return fitted_pictures(picture, Siren(learning_rate=RATE, points=None), looks)


def _autoencoder(seed: int) -> Fit:
    def fit(picture: Tensor, looks: Sequence[int]) -> Iterator[Tensor]:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = PictureAutoencoder(picture.shape[1], WIDTHS)
        optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
        for epoch in range(1, looks[-1] + 1):
            drawn = network(picture)
            optimiser.zero_grad(set_to_none=True)
            (drawn - picture).square().mean().backward()
            optimiser.step()
            if epoch in looks:
                yield drawn.detach()

    return fit


def _small(picture: Tensor, mode: str) -> Tensor:
    """(C, H, W) with sides that are multiples of 16, the longer at most `LONGEST`."""
    H, W = picture.shape[-2:]
    shrink = min(1.0, LONGEST / max(H, W))
    sides = [max(2, round(shrink * side / MULTIPLE)) * MULTIPLE for side in (H, W)]
    return F.interpolate(picture[None], size=sides, mode=mode)[0]


def _defect(mask: Tensor, picture: Tensor, small: Tensor) -> Tensor:
    """Where any of the defect falls on a pixel of the small picture, (h, w) of bool."""
    if mask.shape != picture.shape[-2:]:
        raise UsageError(
            f"the mask is {mask.shape[0]} x {mask.shape[1]} pixels, the picture "
            f"{picture.shape[1]} x {picture.shape[2]}: give the mask of this very picture"
        )
    defect = F.adaptive_max_pool2d(mask[None].float(), small.shape[-2:])[0] > 0.5
    if not defect.any() or defect.all():
        raise UsageError(
            "the mask marks nothing, or everything: the curves inside and outside of the defect "
            "need both; leave the mask out to see the residuals alone"
        )
    return defect


def draw_founding(founding: Founding) -> bytes:
    """One PNG: a row of residual maps over the epochs for each network, the curves beneath."""
    H, W = founding.picture.shape[:2]
    tall = len(founding.fittings) * (1.7 * H / W + 0.4) + 0.3
    figure = new_figure(13, tall + 3.4)
    grid = figure.add_gridspec(2, 1, height_ratios=[tall, 3.4])
    above, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    axes = above.subplots(len(founding.fittings), SHOWN + 1, squeeze=False)
    for row, fitting in zip(axes, founding.fittings, strict=True):
        _maps(list(row), founding, fitting)
    left, right = below.subplots(1, 2)
    _residual_curves(left, founding)
    _contrast_curves(right, founding)
    return png(figure)


def write_founding(founding: Founding, path: Path) -> None:
    """`draw_founding` into a file, whole or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    write_atomically(path, draw_founding(founding))


def _maps(row: Sequence[Axes], founding: Founding, fitting: Fitting) -> None:
    """The picture, then its residuals; each map from 0 to its own brightest per mille."""
    first, *others = row
    gray = founding.picture.shape[2] == 1
    first.imshow(founding.picture.squeeze(), cmap="gray" if gray else None, vmin=0, vmax=1)
    _outline(first, founding)
    _caption(first, fitting.detector, INK)
    chosen = np.linspace(0, len(fitting.epochs) - 1, min(SHOWN, len(fitting.epochs))).round()
    for axes in others:
        axes.set_axis_off()
    for axes, look in zip(others, chosen.astype(int), strict=False):
        residual = fitting.residuals[look]
        top = max(float(np.quantile(residual, 0.999)), 1e-6)
        axes.imshow(residual, cmap="magma", vmin=0, vmax=top)
        _outline(axes, founding)
        epoch = fitting.epochs[look]
        _caption(axes, f"epoch {epoch:,}  \N{MIDDLE DOT}  mean {residual.mean():.3f}", FAINT)


def _outline(axes: Axes, founding: Founding) -> None:
    axes.set_axis_off()
    if founding.mask is not None:
        axes.contour(founding.mask, levels=[0.5], colors=[GREEN], linewidths=0.9)


def _caption(axes: Axes, text: str, colour: str) -> None:
    axes.set_title(text, loc="left", fontsize=9, color=colour, pad=4, fontweight="bold")


def _residual_curves(axes: Axes, founding: Founding) -> None:
    """Mean residuals of each network: whole lines inside the mask, dashed ones outside."""
    plain_axes(axes, grid="both").set(xscale="log", yscale="log")
    _number(axes.xaxis)
    _number(axes.yaxis)
    for fitting, colour in zip(founding.fittings, SERIES, strict=False):
        axes.plot(fitting.epochs, fitting.outside, color=colour, linestyle="--", linewidth=1.4)
        if fitting.inside is not None:
            axes.plot(fitting.epochs, fitting.inside, color=colour, linewidth=1.8)
    whole = founding.mask is None
    say(
        axes,
        "What is not drawn yet",
        "dashed: the whole picture" if whole else "whole line: inside the mask; dashed: outside",
    )
    name_axes(axes, "epoch", "mean absolute residual")
    names = zip((f.detector for f in founding.fittings), SERIES, strict=False)
    list_names(axes, list(names), (0.03, 0.2))


def _contrast_curves(axes: Axes, founding: Founding) -> None:
    """How many times worse the defect is drawn; empty without a mask."""
    if founding.mask is None:
        axes.set_axis_off()
        return
    plain_axes(axes, grid="both").set(xscale="log")
    _number(axes.xaxis)
    for fitting, colour in zip(founding.fittings, SERIES, strict=False):
        contrast = fitting.contrast
        if contrast is not None:
            axes.plot(fitting.epochs, contrast, color=colour, linewidth=1.8)
    axes.axhline(1, color=FAINT, linewidth=0.8)
    say(axes, "How far the defect stands out", "mean residual inside the mask over that outside")
    name_axes(axes, "epoch", "times")


def _number(axis: Axis) -> None:
    """1, 2, 5, 10, ... on a logarithmic axis, written out."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
