"""Clips that a model and its export are compared at: real ones, or made where there are none."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.apart import parted
from monitor.clips import PEEKED, at_rate, cut_clips, prepare
from monitor.datasets import DataSet, Video
from monitor.errors import DataSetError, SourceError
from monitor.model import Model
from monitor.stills.apart import parted_stills
from monitor.stills.model import StillModel
from monitor.stills.still import Still, StillSet
from monitor.training import Segment, rate_of, whole_segments

Bytes = NDArray[np.uint8]

LEARNED = 128  # clips that ranges of activations are taken from; NNCF's default is 300
JUDGED = 256  # clips that scores are compared at
LEAST = 24  # clips that an order is told by
MADE = 8
MOST_BYTES = 256 * 2**20  # of each of the two


@dataclass(frozen=True, eq=False)
class Examples:
    """Clips (N, T, C, H, W) of a model's own data."""

    learned: Bytes  # normal, to quantise by
    judged: Bytes  # normal ones that were kept apart, and labelled ones
    labels: NDArray[np.bool_] | None  # (M,) of the last of `judged`; None: no labels
    source: str  # for the report

    @property
    def labelled(self) -> int:
        """How many of `judged` have labels: its last."""
        return 0 if self.labels is None else len(self.labels)


def made_examples(spec: ClipSpec) -> Examples:
    """Smooth noise, of which a detector has something to say."""
    random = np.random.default_rng(0)
    height, width = spec.size
    coarse = random.integers(0, 256, (MADE, spec.length, spec.channels, 8, 8))
    rows, columns = (np.linspace(0, 7, side).round().astype(int) for side in (height, width))
    clips = coarse[..., rows[:, None], columns].astype(np.uint8)
    return Examples(clips, clips, None, "made pictures")


def video_examples(model: Model, data: DataSet) -> Examples:
    """Evenly spread over the footage; what the model learned from is kept apart.

    Raises:
        DataSetError: If it holds no clip.
        SourceError: If none of it can be read.
    """
    parts = parted(model.provenance, data)
    learned, apart = parts.learned, parts.apart
    if not learned:  # none of it: it is not compared at what its ranges come from either
        learned, apart = _divided(apart)
    spec = model.detector.spec
    labelled = [video for video in data.test if video.labels is not None]
    pairs = list(_clips(whole_segments(labelled), model, _count(JUDGED, spec) // 2))
    normal = [clip for clip, _ in _clips(apart, model, _count(JUDGED, spec) // 2)]
    kept = [clip for clip, _ in _clips(learned, model, _count(LEARNED, spec))]
    labels = [label for _, label in pairs]
    return _examples(kept, normal, [clip for clip, _ in pairs], labels, data.name)


def still_examples(model: StillModel, data: StillSet) -> Examples:
    """Evenly spread over the pictures; raises as `video_examples`."""
    parts = parted_stills(model.provenance, data)
    learned, apart = parts.learned, parts.apart
    if not learned and len(apart) > 1:
        learned, apart = apart[::2], apart[1::2]
    spec = model.detector.spec
    tested = _spread([still for still in data.test if still.label is not None], JUDGED // 2)
    pairs = [(clip, bool(still.label)) for still in tested for clip in _pictures([still], spec)]
    normal = list(_pictures(_spread(apart, JUDGED // 2), spec))
    kept = list(_pictures(_spread(learned or apart, LEARNED), spec))
    labels = [label for _, label in pairs]
    return _examples(kept, normal, [clip for clip, _ in pairs], labels, data.name)


def _divided(segments: tuple[Segment, ...]) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """Every second one; of a single one the halves."""
    if len(segments) > 1:
        return segments[::2], segments[1::2]
    middles = [segment.start + segment.n_frames // 2 for segment in segments]
    both = list(zip(segments, middles, strict=True))
    return tuple(replace(s, stop=m) for s, m in both), tuple(replace(s, start=m) for s, m in both)


def _examples(
    kept: list[Bytes], normal: list[Bytes], judged: list[Bytes], labels: list[bool], name: str
) -> Examples:
    if not kept or not (normal or judged):
        raise DataSetError(f"{name}: expected clips to check an export by, found none")
    both = 0 < sum(labels) < len(labels)
    return Examples(
        np.stack(kept),
        np.stack([*normal, *judged]),
        np.array(labels) if both else None,
        name,
    )


def _count(wanted: int, spec: ClipSpec) -> int:
    """So many clips, or as many as the memory is for; as many as an order is told by at least."""
    one = spec.length * spec.channels * spec.size[0] * spec.size[1]
    return max(LEAST, min(wanted, MOST_BYTES // one))


def _clips(segments: Sequence[Segment], model: Model, count: int) -> Iterator[tuple[Bytes, bool]]:
    """Clips evenly spread over some footage, each with its label (False where there is none)."""
    reach = _reach(segments, model)
    long = [segment for segment in segments if segment.n_frames >= reach] or list(segments)
    ends = np.cumsum([max(1, segment.n_frames - reach) for segment in long])
    if not len(ends):
        return
    for place in np.linspace(0, ends[-1] - 1, min(count, int(ends[-1]))).astype(int):
        which = int(np.searchsorted(ends, place, side="right"))
        first = int(place - (ends[which - 1] if which else 0))
        segment = long[which]
        start = segment.start + first
        yield from _clip(segment.video, start, min(start + reach, segment.stop), model)


def _reach(segments: Sequence[Segment], model: Model) -> int:
    """Frames of the source in which there is a clip."""
    rate = max((rate_of(segment.video) for segment in segments), default=0.0)
    thinning = ceil(rate / model.rate_hz) if model.rate_hz else 1
    return max(1, thinning) * model.detector.spec.span + PEEKED


def _clip(video: Video, start: int, stop: int, model: Model) -> Iterator[tuple[Bytes, bool]]:
    """The first clip there, if there is one."""
    with closing(video.frames(start, stop)) as frames:
        taken = at_rate(frames, model.rate_hz)
        clips = cut_clips(taken, model.detector.spec, model.rate_hz)
        clip = next(clips, None)
    if clip is not None:
        labels = video.labels
        yield np.stack(clip.frames), bool(labels is not None and labels[clip.target.index])


def _pictures(stills: Sequence[Still], spec: ClipSpec) -> Iterator[Bytes]:
    for still in stills:
        try:
            yield prepare(still.picture(), spec)[None]
        except SourceError:
            continue  # scoring names it; here it is one of many


def _spread(stills: Sequence[Still], count: int) -> list[Still]:
    places = np.linspace(0, len(stills) - 1, min(count, len(stills))).round().astype(int)
    return [stills[place] for place in places]
