"""What a detector saw, for people: a second look at a few frames of scored videos.

Maps and reconstructions of a whole set would fill any memory; these are made again for the frames
that are worth a picture.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil

import numpy as np
from numpy.typing import NDArray

from monitor.clips import at_rate, cut_clips
from monitor.datasets import Video
from monitor.evaluation.page import Picture
from monitor.evaluation.pictures import MissedFrame, MissPicture
from monitor.evaluation.results import VideoScores
from monitor.model import Model
from monitor.overlay import overlay, to_heat
from monitor.records import Image, MapScale
from monitor.runtimes import picture_of, runtime_of
from monitor.training import rate_of

HIGHEST = 6  # frames on the sheet of the most anomalous
APART_S = 3.0  # so that they are not six times the same
EARLIER_FRAMES = 16  # to start before a clip, so that a rate is told and a lost frame is made up


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A frame, the map of its anomalies, and what was expected in its place."""

    image: Image
    map: NDArray[np.float32]  # (h, w), any size
    expected: Image | None  # where the detector has such a thing


def highest(videos: Sequence[VideoScores], count: int = HIGHEST) -> list[MissedFrame]:
    """The highest scored frames, some seconds apart; the highest of each video come first."""
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, float, MissedFrame]] = []
    for peak in (peak for video in videos for peak in islice(_peaks(video), count)):
        ranked.append((seen[peak.video], -peak.score, peak))
        seen[peak.video] += 1
    return [peak for _, _, peak in sorted(ranked, key=lambda item: item[:2])[:count]]


def _peaks(video: VideoScores) -> Iterator[MissedFrame]:
    """The highest frame, then the highest well away from it, and so on."""
    scores = np.array(video.score, float)
    while np.isfinite(scores.max()):
        place = int(scores.argmax())
        time_s = float(video.time_s[place])
        anomalous = video.label is not None and bool(video.label[place])
        index, score = int(video.index[place]), float(scores[place])
        yield MissedFrame(video.name, index, time_s, score, anomalous=anomalous)
        scores[np.abs(video.time_s - time_s) < APART_S] = -np.inf


def look_at(video: Video, index: int, model: Model) -> Sight | None:
    """The frame, seen again; a neighbour where thinning passes it by; None: there is no clip."""
    spec = model.detector.spec
    thinning = ceil(rate_of(video) / model.rate_hz) if model.rate_hz else 1
    reach = thinning * spec.span + EARLIER_FRAMES
    frames = at_rate(video.frames(max(0, index - reach), index + reach), model.rate_hz)
    clips = cut_clips(frames, spec, model.rate_hz)
    clip = min(clips, key=lambda clip: abs(clip.target.index - index), default=None)
    if clip is None:
        return None
    runtime = runtime_of(model.detector)
    batch = runtime.batch([clip.frames])
    heat, expected = runtime.examine(batch).maps[0], runtime.expected(batch)
    return Sight(clip.target.image, heat, None if expected is None else picture_of(expected[0]))


def scale_of(model: Model, sights: Sequence[Sight]) -> MapScale:
    """As alerts show it; of a model without calibration one that tells these frames apart."""
    peaks = [float(sight.map.max()) for sight in sights]
    return model.map_scale or MapScale(min(peaks) / 2, max(peaks))


def sights_of(
    frames: Sequence[MissedFrame], videos: Sequence[Video], model: Model
) -> list[tuple[MissedFrame, Sight]]:
    """Second looks at frames of these videos, in their order."""
    by_name = {video.name: video for video in videos}
    looks = [(frame, look_at(by_name[frame.video], frame.index, model)) for frame in frames]
    return [(frame, sight) for frame, sight in looks if sight is not None]


def misses_of(pairs: Sequence[tuple[MissedFrame, Sight]]) -> list[MissPicture]:
    """As the sheet of misses takes them."""
    return [MissPicture(frame, sight.image, sight.map, sight.expected) for frame, sight in pairs]


def highest_picture(pairs: Sequence[tuple[MissedFrame, Sight]], scale: MapScale) -> Picture:
    """A sheet of frames under their heat maps; matplotlib is imported here."""
    from monitor.evaluation.drawing import new_figure, png

    columns = min(3, len(pairs))
    rows = ceil(len(pairs) / columns)
    height, width = pairs[0][1].image.shape[:2]
    figure = new_figure(11, rows * (11 / columns * height / width + 0.25) + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (frame, sight) in zip(grid.flat, pairs, strict=False):
        axes.imshow(overlay(sight.image, to_heat(sight.map, scale)))
        title = f"{frame.video}, {frame.time_s:.1f} s (frame {frame.index}): {frame.score:.3g}"
        axes.set_title(title, loc="left", fontsize=8)
    title = "Most anomalous frames, with their anomaly maps"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    caption = "The highest scores of the run, at most one every few seconds of a video."
    return Picture("highest_sheet", caption, png(figure))
