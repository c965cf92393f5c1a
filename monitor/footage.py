"""What can be learned from in a data set: which videos, of which shape, at which rate."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monitor.clips import FASTER
from monitor.datasets import DataSet, Video
from monitor.errors import DataSetError, SourceError
from monitor.model import check_shape
from monitor.training import rate_of

log = logging.getLogger(__name__)

LIVE_HZ = 10.0  # people and cars show what they do at this rate; more frames cost, and tell no more
SIDE_MULTIPLE = 16  # four halvings, the most that a `lite` network makes


@dataclass(frozen=True)
class Footage:
    """The normal footage of a data set that can be read, and what there is to say of it."""

    videos: tuple[Video, ...]
    size: tuple[int, int]  # of the pictures, height and width
    rate_hz: float | None  # to learn at; None: stills without a clock, taken as they come
    notes: tuple[str, ...]


def live_rate(rate_hz: float) -> float:
    """A whole share of a camera's rate near `LIVE_HZ`: every n-th frame, evenly spaced."""
    return rate_hz / max(1, round(rate_hz / LIVE_HZ))


def find_footage(data: DataSet, rate_hz: float | None = None, *, live: bool = False) -> Footage:
    """The training videos of a data set, at the rate of the slowest, its `live_rate`, or `rate_hz`.

    Raises:
        DataSetError: If there are none, or their pictures differ in shape.
        SourceError: If none can be read, or one cannot and the set was opened as strict.
    """
    notes: list[str] = list(data.notes)
    videos = readable(data.train, notes)
    if not videos:
        raise DataSetError(
            f"{data.root}: there is no normal footage to learn from; expected training videos "
            f"(layout {data.layout})"
        )
    usual, _ = Counter(video.size for video in videos).most_common(1)[0]
    for video in videos:
        check_shape(video.size, usual, str(video.path))
    clocks = [video.rate_hz for video in videos if video.rate_hz]
    slowest_hz = min(clocks, default=None)
    if live and slowest_hz is not None:
        slowest_hz = live_rate(slowest_hz)
    if rate_hz is not None:
        fastest = min(clocks, default=None) or min(rate_of(video) for video in videos)
        slowest_hz = min(rate_hz, fastest)
    return Footage(tuple(videos), usual, slowest_hz, tuple(notes))


def at_learned_rate(footage: Footage, earlier: Mapping[str, Any] | None) -> Footage:
    """At the rate of the model that goes on learning, if one does: that its provenance tells."""
    if earlier is None or "rate_hz" not in earlier:
        return footage
    rate_hz = earlier["rate_hz"]
    slowest_hz = min(rate_of(video) for video in footage.videos)
    notes = footage.notes
    if rate_hz is not None and slowest_hz * FASTER < rate_hz:
        notes += (
            f"{slowest_hz:.4g} frames per second, but the model learned at {rate_hz:.4g} before: "
            "everything looked faster than it is",
        )
    return replace(footage, rate_hz=rate_hz, notes=notes)


def readable(videos: Sequence[Video], notes: list[str]) -> list[Video]:
    """Those that can be opened; the others are noted, unless strict or none is left."""
    found: list[Video] = []
    problems: list[SourceError] = []
    for video in videos:
        try:
            video.n_frames  # noqa: B018  opens the file and counts
            video.size  # noqa: B018
        except SourceError as error:
            if video.strict:
                raise
            problems.append(error)
            notes.append(f"left out: {error}")
            log.warning("left out: %s", error)
        else:
            found.append(video)
    if problems and not found:
        raise problems[0]
    return found


def fit_size(
    source: tuple[int, int], like: tuple[int, int], multiple: int = SIDE_MULTIPLE
) -> tuple[int, int]:
    """A detector's size for a source's shape: about as many pixels as `like`, no squeezing.

    Heights and widths in pixels; the result's are multiples of `multiple`.
    """
    pixels, ratio = like[0] * like[1], source[1] / source[0]
    height = (pixels / ratio) ** 0.5

    def rounded(side: float) -> int:
        return max(1, round(side / multiple)) * multiple

    return rounded(height), rounded(height * ratio)
