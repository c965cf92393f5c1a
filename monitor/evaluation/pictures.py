"""Pictures of what a detector saw: heat maps over frames, and the sheet of its worst misses.

Images are (H, W, 3) RGB uint8. Imports matplotlib only to draw the sheet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor.evaluation.events import runs
from monitor.evaluation.metrics import FloatArray
from monitor.evaluation.results import VideoScores
from monitor.overlay import overlay, to_heat
from monitor.records import Image, MapScale


@dataclass(frozen=True, slots=True)
class MissedFrame:
    """A frame on the wrong side: anomalous and scored low, or normal and scored high."""

    video: str
    index: int
    time_s: float
    score: float
    anomalous: bool


@dataclass(frozen=True, slots=True, eq=False)
class MissPicture:
    """What there is to show of one missed frame."""

    miss: MissedFrame
    image: Image
    map: FloatArray | None = None  # (h, w), any size
    reconstruction: Image | None = None


def worst_misses(videos: Sequence[VideoScores], count: int = 6) -> list[MissedFrame]:
    """The lowest-scored anomalous and the highest-scored normal frames, at most half of each.

    One frame for each run of equal labels, so that neighbours do not crowd the sheet.
    """
    found = [miss for video in videos for miss in _extremes(video)]
    missed = sorted((m for m in found if m.anomalous), key=lambda miss: miss.score)
    false = sorted((m for m in found if not m.anomalous), key=lambda miss: -miss.score)
    half = count // 2
    return missed[:half] + false[: count - half]


def misses_sheet(pictures: Sequence[MissPicture], scale: MapScale) -> bytes:
    """A PNG with a row for each miss: the frame, its heat map, the reconstruction if any."""
    from monitor.evaluation.drawing import new_figure, png

    columns = 3 if any(picture.reconstruction is not None for picture in pictures) else 2
    height, width = pictures[0].image.shape[:2]
    cell = 3.2
    figure = new_figure(columns * cell, len(pictures) * (cell * height / width + 0.2) + 0.5)
    grid = figure.subplots(len(pictures), columns, squeeze=False)
    for row, picture in zip(grid, pictures, strict=True):
        for axes, (name, image) in zip(row, _views(picture, scale).items(), strict=False):
            axes.imshow(image)
            axes.set_title(name, loc="left", fontsize=8)
        for axes in row:
            axes.set_axis_off()
    title = "Worst misses: anomalies scored low, normal frames high"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return png(figure)


def _views(picture: MissPicture, scale: MapScale) -> dict[str, Image]:
    miss = picture.miss
    kind = "anomalous" if miss.anomalous else "normal"
    views = {f"{kind}: {miss.video}, frame {miss.index}, scored {miss.score:.3g}": picture.image}
    if picture.map is not None:
        views["anomaly map"] = overlay(picture.image, to_heat(picture.map, scale))
    if picture.reconstruction is not None:
        views["what the detector expected"] = picture.reconstruction
    return views


def _extremes(video: VideoScores) -> Iterator[MissedFrame]:
    """The lowest frame of each anomalous run, the highest of each normal one."""
    if video.label is None:
        return
    for run in runs(video.label):
        yield _miss(video, run.start + int(video.score[run].argmin()), anomalous=True)
    for run in runs(~video.label):
        yield _miss(video, run.start + int(video.score[run].argmax()), anomalous=False)


def _miss(video: VideoScores, place: int, *, anomalous: bool) -> MissedFrame:
    return MissedFrame(
        video=video.name,
        index=int(video.index[place]),
        time_s=float(video.time_s[place]),
        score=float(video.score[place]),
        anomalous=anomalous,
    )
