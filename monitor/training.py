"""What a detector learns from: normal footage split three ways, and batches of it.

The split keeps apart what is learned from, what scales are taken from, and what thresholds are
set on. The loader holds a bounded number of frames, however long the footage is.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.ahead import ahead
from monitor.alert_rule import AlertRule
from monitor.clips import FASTER, Silences, at_rate, prepared, to_tensor
from monitor.datasets import Video
from monitor.errors import DataSetError
from monitor.frame_cache import FrameCache, key_of
from monitor.records import Frame
from monitor.sources import FOLDER_RATE_HZ

if TYPE_CHECKING:
    from torch import Tensor

POOL_BYTES = 384 * 2**20  # of frames in memory at a time; torch and its working memory take 2 GB
FIRST_FRAMES = 2048  # of the first pool, doubled from pool to pool: learning begins at once
SEGMENT_FRAMES = 512  # of a long video are loaded in one piece
HELD_OUT_FRAMES = 4096  # are enough for scales; going through hours would outlast the budget
HELD_OUT_PIECE = 128  # frames, spread over all that is held out
MANY_VIDEOS = 8  # from so many on, whole videos are held out; under it, the ends of each
HELD_OUT, CALIBRATION = 0.125, 0.125  # shares of the normal footage
CALIBRATION_S = 20.0  # ten warm-ups of the alert rule: a short video gives a larger share for it
MOST_CALIBRATION = 0.3
LEAST_SHARE, MOST_SHARE = 0.04, 0.3  # that whole videos may come to, of the eighth that is due


@dataclass(frozen=True)
class Segment:
    """A stretch of a video, in frames of the source: `start` counted, `stop` not."""

    video: Video
    start: int
    stop: int

    @property
    def n_frames(self) -> int:
        """How long it is."""
        return self.stop - self.start

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.n_frames / rate_of(self.video)

    def frames(self, rate_hz: float | None = None) -> Iterable[Frame]:
        """Its frames, thinned to `rate_hz` per second where the video is much faster."""
        return at_rate(self.video.frames(self.start, self.stop), rate_hz)


def count_frames(segments: Iterable[Segment]) -> int:
    """Frames of all of them."""
    return sum(segment.n_frames for segment in segments)


def rate_of(video: Video) -> float:
    """Frames per second by the times that its frames carry; assumed for a folder of stills."""
    return video.rate_hz or FOLDER_RATE_HZ


@dataclass(frozen=True)
class Split:
    """Normal footage in three parts that share no frame."""

    fit: tuple[Segment, ...]  # networks and densities learn from it
    held_out: tuple[Segment, ...]  # scales of errors and maps come from it
    calibration: tuple[Segment, ...]  # p-values and thresholds come from it


def split_normal(videos: Sequence[Video], *, span: int = 1, rate_hz: float | None = None) -> Split:
    """Part normal footage: whole videos, evenly spread, where there are many; else by time.

    Only videos with a clip of `span` frames at that rate count, and thresholds come from one that
    goes on after the warm-up, if any does. Where whole videos make no fair shares, as one long
    one among many short ones does not, all are parted by time.

    Raises:
        DataSetError: If there is nothing, or a source whose end is not known (a live camera).
    """
    if not videos:
        raise DataSetError("there is no normal footage to learn from; expected training videos")
    whole = whole_segments(videos)
    by_video = _by_video(whole, span, rate_hz)
    learns = longest_taken(by_video.fit, rate_hz) >= span
    return by_video if learns and _is_fair(by_video) else _by_time(whole)


def whole_segments(videos: Sequence[Video]) -> list[Segment]:
    """All of some videos.

    Raises:
        DataSetError: If one has no known end (a live camera).
    """
    return [Segment(video, 0, _length(video)) for video in videos]


def _length(video: Video) -> int:
    length = video.n_frames
    if length is None:
        raise DataSetError(
            f"{video.name}: a live source has no end to learn up to; record a normal stretch of it "
            "to a file first, and train on that"
        )
    return length


def _by_video(whole: list[Segment], span: int, rate_hz: float | None) -> Split:
    """Of those with a clip, every eighth is held out; every eighth, half a turn later, calibrates.

    Nothing is kept apart where there are not many videos.
    """
    long = [segment for segment in whole if _taken(segment, rate_hz) >= span]
    turn = max(2, min(round(1 / HELD_OUT), len(long)))
    many = len(whole) >= MANY_VIDEOS
    turns = [long[i : i + turn] for i in range(0, len(long), turn)] if many else []
    middle = turn // 2 - 1
    held_out = [some[middle] for some in turns if len(some) > middle]
    calibration = [
        _calibrating([*some[:middle], *some[middle + 1 :]], span, rate_hz)
        for some in turns
        if len(some) == turn
    ]
    apart = {id(segment) for segment in (*held_out, *calibration)}
    fit = [segment for segment in whole if id(segment) not in apart]
    return Split(tuple(fit), tuple(held_out), tuple(calibration))


def _calibrating(some: list[Segment], span: int, rate_hz: float | None) -> Segment:
    """The last of them that a threshold can be set on; else the last."""
    sound = [segment for segment in some if gives_threshold([segment], span, rate_hz)]
    return (sound or some)[-1]


def _is_fair(split: Split) -> bool:
    """Whether what is kept apart is about an eighth of the footage each, give or take."""
    whole_s = sum(segment.seconds for part in vars(split).values() for segment in part)
    kept_s = [sum(s.seconds for s in part) for part in (split.held_out, split.calibration)]
    return all(LEAST_SHARE * whole_s < part_s < MOST_SHARE * whole_s for part_s in kept_s)


def _by_time(whole: list[Segment]) -> Split:
    """The end of each video calibrates, what comes before it is held out, the rest is learned."""
    fit, held_out, calibration = zip(*map(_three_parts, whole), strict=True)
    return Split(fit, held_out, calibration)


def _three_parts(segment: Segment) -> tuple[Segment, Segment, Segment]:
    wanted = CALIBRATION_S / segment.seconds if segment.n_frames else CALIBRATION
    share = min(max(CALIBRATION, wanted), MOST_CALIBRATION)
    ends = [round(segment.n_frames * part) for part in (1 - share - HELD_OUT, 1 - share)]
    return (
        replace(segment, stop=ends[0]),
        replace(segment, start=ends[0], stop=ends[1]),
        replace(segment, start=ends[1]),
    )


def longest_taken(segments: Iterable[Segment], rate_hz: float | None) -> int:
    """Frames that are left of the longest stretch at that rate."""
    return max((_taken(segment, rate_hz) for segment in segments), default=0)


def gives_threshold(segments: Iterable[Segment], span: int, rate_hz: float | None) -> bool:
    """Whether one of them, scored in clips of so many frames, goes on after the warm-up."""
    return any(_scored_s(segment, span, rate_hz) > AlertRule().warmup_s for segment in segments)


def _scored_s(segment: Segment, span: int, rate_hz: float | None) -> float:
    """From the first clip of a stretch to its last."""
    taken = _taken(segment, rate_hz)
    return segment.seconds * (taken - span) / taken if taken else 0.0


def _taken(segment: Segment, rate_hz: float | None) -> int:
    """Frames that are left of a stretch at that rate; see `at_rate`."""
    if not rate_hz or rate_of(segment.video) <= FASTER * rate_hz:
        return segment.n_frames
    return ceil(segment.seconds * rate_hz)


def thinned(
    segments: Sequence[Segment], spec: ClipSpec, most: int = HELD_OUT_FRAMES
) -> tuple[Segment, ...]:
    """At most about so many frames of the footage, in short pieces from all over it."""
    if sum(segment.n_frames for segment in segments) <= most:
        return tuple(segments)
    pieces = [piece for s in segments for piece in _pieces(s, spec, HELD_OUT_PIECE)]
    count = max(1, most // (HELD_OUT_PIECE + spec.span - 1))
    places = np.linspace(0, len(pieces) - 1, min(count, len(pieces))).round().astype(int)
    return tuple(pieces[place] for place in places)


class ClipLoader:
    """Batches of clips of some footage; iterated again and again, each time an epoch.

    Frames are decoded once while they fit in `pool_bytes`; a longer set is gone through in pools
    of whole pieces, clips shuffled within the pool. The first pools are small, so that a long
    set does not use up the budget before the first step. With a `cache`, frames are mapped from
    it, and the next pool is made ready while this one is learned from; the batches are the same.
    """

    def __init__(  # noqa: PLR0913
        self,
        segments: Sequence[Segment],
        spec: ClipSpec,
        *,
        batch: int,
        shuffle_seed: int | None = None,  # None: in the order of the footage
        rate_hz: float | None = None,
        device: str = "cpu",
        pool_bytes: int = POOL_BYTES,
        cache: FrameCache | None = None,
    ) -> None:
        self._cache = cache
        self._pieces = [piece for segment in segments for piece in _pieces(segment, spec)]
        self._spec = spec
        self._batch = batch
        self._rate_hz = rate_hz
        self._device = device
        self._random = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        frame_bytes = spec.channels * spec.size[0] * spec.size[1]
        self._pool_frames = max(spec.span, pool_bytes // frame_bytes)
        self._kept: list[NDArray[np.uint8]] | None = None

    def __iter__(self) -> "Iterator[Tensor]":
        order = np.arange(len(self._pieces))
        if self._random is not None:
            self._random.shuffle(order)
        with closing(self._pools([self._pieces[i] for i in order])) as pools:
            for pool in pools:
                places = [(run, i) for run in pool for i in range(len(run) - self._spec.span + 1)]
                if self._random is not None:
                    self._random.shuffle(places)
                for first in range(0, len(places), self._batch):
                    yield self._gather(places[first : first + self._batch])
                del places, pool  # before the next pool is loaded, so that there are never two

    def _gather(self, places: list[tuple[NDArray[np.uint8], int]]) -> "Tensor":
        span, stride = self._spec.span, self._spec.stride
        clips = [tuple(run[i : i + span : stride]) for run, i in places]
        return to_tensor(clips, self._device)

    def _pools(self, pieces: list[Segment]) -> Generator[list[NDArray[np.uint8]]]:
        """Runs of unbroken frames, as many at a time as the memory allows."""
        if self._kept is not None:
            yield self._kept
            return
        fits = sum(piece.n_frames for piece in pieces) <= self._pool_frames
        everything: list[NDArray[np.uint8]] = []
        pool: list[NDArray[np.uint8]] = []
        most = FIRST_FRAMES
        with closing(self._ready(pieces)) as ready:
            for piece in ready:
                if pool and sum(map(len, pool)) + piece.n_frames > min(most, self._pool_frames):
                    yield pool
                    pool, most = [], 2 * most
                runs = self._load(piece)
                pool += runs
                everything += runs if fits else []
            yield pool
        if fits:
            self._kept = everything

    def _ready(self, pieces: list[Segment]) -> Generator[Segment]:
        """The pieces; with a cache, those that come next are brought into it meanwhile."""
        if self._cache is None:
            yield from pieces
            return
        most = max(1, self._pool_frames // SEGMENT_FRAMES)
        with closing(ahead(map(self._brought, pieces), most)) as ready:
            yield from ready

    def _brought(self, piece: Segment) -> Segment:
        if self._cache is not None and not self._cache.closed and self._key(piece):
            self._load(piece)
        return piece

    def _load(self, piece: Segment) -> list[NDArray[np.uint8]]:
        """The piece's frames, as `_decoded`, from the cache where they are."""
        key = None if self._cache is None else self._key(piece)
        if self._cache is None or key is None:
            return list(self._decoded(piece))
        found = self._cache.found(key)
        if found is not None:
            return found
        made = list(self._decoded(piece))
        return made if piece.video.source.corrupt else self._cache.kept(key, made)

    def _key(self, piece: Segment) -> str | None:
        """None too where something was lost: what is damaged is read, and named, each time."""
        video = piece.video
        if video.source.corrupt:
            return None
        how = (video.folder_rate_hz, self._rate_hz, self._spec.size, self._spec.channels)
        files = video.source.files(piece.start, piece.stop)
        return key_of(files, piece.start, piece.stop, video.limit, how)

    def _decoded(self, piece: Segment) -> Iterator[NDArray[np.uint8]]:
        """The piece's frames, (N, C, H, W), parted where the clock leaps."""
        run: list[NDArray[np.uint8]] = []
        last_s: float | None = None
        silences = Silences(self._rate_hz)
        for frame in piece.frames(self._rate_hz):
            if last_s is not None and not silences.spans(frame.time_s - last_s):
                yield np.stack(run)
                run = []
            run.append(prepared(frame, self._spec))
            last_s = frame.time_s
        if run:
            yield np.stack(run)


def _pieces(segment: Segment, spec: ClipSpec, length: int | None = None) -> Iterator[Segment]:
    """Cut a long segment; pieces overlap by a clip less one frame, so that no clip is lost."""
    start = segment.start
    while True:
        stop = min(segment.stop, start + (length or SEGMENT_FRAMES) + spec.span - 1)
        yield replace(segment, start=start, stop=stop)
        if stop == segment.stop:
            return
        start = stop - spec.span + 1
