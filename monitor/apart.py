"""Normal footage parted into what a model learned from and what it did not.

By whatever name either is given: a data set, a link to it, a folder or a video in it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.datasets import DataSet, Video
from monitor.footage import readable
from monitor.training import Segment, whole_segments

Stretches = dict[str, list[list[int]]]  # [first frame, the one after the last] of each video


@dataclass(frozen=True)
class Parts:
    """Of some normal footage."""

    learned: tuple[Segment, ...]  # networks or scales come from it
    apart: tuple[Segment, ...]  # nothing but perhaps thresholds


def learned_of(segments: Iterable[Segment]) -> Stretches:
    """What is noted of the segments that a model learns from, by the place of their videos."""
    found: Stretches = {}
    for segment in segments:
        found.setdefault(_place(segment.video), []).append([segment.start, segment.stop])
    return {place: sorted(stretches) for place, stretches in found.items()}


def parted(provenance: Mapping[str, Any], data: DataSet) -> Parts:
    """The normal footage of a data set, as the model with that provenance saw it.

    Raises:
        DataSetError: If a video has no known end (a live camera).
        SourceError: If none can be read, or one cannot and the set was opened as strict.
    """
    noted: Stretches = provenance.get("learned", {})
    learned: list[Segment] = []
    apart: list[Segment] = []
    for whole in whole_segments(readable(data.train or data.test, [])):
        stretches = noted.get(_place(whole.video), [])
        learned += (replace(whole, start=start, stop=stop) for start, stop in stretches)
        apart += _beside(whole, stretches)
    return Parts(tuple(learned), tuple(apart))


def _beside(whole: Segment, stretches: list[list[int]]) -> Iterator[Segment]:
    """What the stretches leave of a video; they are in order and share no frame."""
    begin = whole.start
    for start, stop in [*stretches, [whole.stop, whole.stop]]:
        if start > begin:
            yield replace(whole, start=begin, stop=start)
        begin = stop


def _place(video: Video) -> str:
    return str(Path(video.path).resolve())
