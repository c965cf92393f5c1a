"""What `train` does for either kind of detector: budget, options, going on, the loss curve."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.errors import UsageError

if TYPE_CHECKING:
    from models.detector import Budget, Detector, Step
    from monitor.evaluation.plots import LossPoint
    from monitor.frame_cache import FrameCache

DEFAULT_MINUTES = 10.0
CACHE_GB = 10.0  # as monitor.frame_cache has it
MOST_POINTS = 4000  # of a loss curve: more than a picture has pixels across


def budget_of(minutes: float | None, steps: int | None) -> "Budget":
    """What `--minutes` and `--steps` come to.

    Raises:
        UsageError: One of them is not over 0.
    """
    from models.detector import Budget

    if minutes is not None and not minutes > 0:
        raise UsageError(f"--minutes {minutes:g}: expected a number over 0")
    if steps is not None and steps < 1:
        raise UsageError(f"--steps {steps}: expected a whole number over 0")
    if minutes is None and steps is None:
        minutes = DEFAULT_MINUTES
    return Budget(None if minutes is None else 60 * minutes, steps)


def cache_of(gigabytes: float) -> "FrameCache | None":
    """What `--cache-gb` comes to.

    Raises:
        UsageError: It is under 0.
    """
    from monitor.frame_cache import FrameCache

    if not gigabytes >= 0:
        raise UsageError(f"--cache-gb {gigabytes:g}: expected a number, 0 for no cache")
    return FrameCache(most_bytes=round(gigabytes * 1e9)) if gigabytes else None


def options_of(detector: str, settings: list[str]) -> dict[str, Any]:
    """What `--set` comes to, for the detector of that name.

    Raises:
        UsageError: There is no such detector or option, or a value is of another type.
    """
    from models.errors import UnknownDetectorError
    from models.registry import kind_of
    from monitor.cli.settings import parse_settings

    try:
        return parse_settings(kind_of(detector).Config, settings)
    except UnknownDetectorError as error:
        raise UsageError(str(error)) from error


def check_same(
    found: "Detector",
    presets: tuple[str, str | None],
    name: str,
    options: dict[str, Any],
    path: Path,
) -> None:
    """Refuse to go on with another detector, preset or options than the file at `path` has.

    `presets` are the file's and the one asked for, if any.

    Raises:
        UsageError: It is another.
    """
    if found.name != name:
        raise UsageError(
            f"--resume: {path} holds a {found.name}, not a {name}; name {found.name}, or leave "
            "--resume out to start anew"
        )
    there_preset, asked = presets
    if asked not in (None, there_preset):
        raise UsageError(f"--resume: {path} has preset {there_preset}, not {asked}; leave it out")
    for key, value in options.items():
        there = getattr(found.config, key)
        if there != value:
            raise UsageError(
                f"--resume: {path} has {key}={there}, not {value}; options cannot change on the "
                "way: leave --set out, or --resume to start anew"
            )


class Curve:
    """Losses for the picture; every second one is dropped whenever there are too many."""

    def __init__(self) -> None:
        self._points: list[LossPoint] = []
        self._every = 1

    def add(self, step: "Step") -> None:
        """A step of learning was made."""
        from monitor.evaluation.plots import LossPoint

        if step.index % self._every:
            return
        if not step.losses:  # a density has none
            return
        self._points.append(LossPoint(step.index, step.seconds, step.losses))
        if len(self._points) > MOST_POINTS:
            self._every *= 2
            self._points = [point for point in self._points if point.step % self._every == 0]

    def write(self, model: Path) -> Path | None:
        """The picture beside the model; None where there is nothing to draw."""
        from monitor.evaluation.plots import loss_curves
        from monitor.files import write_atomically

        if len(self._points) < 2:
            return None
        path = model.with_name(f"{model.stem}.losses.png")
        write_atomically(path, loss_curves(self._points))
        return path
