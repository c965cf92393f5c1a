"""Normal footage parted into what a model learned from and what it did not.

By whatever name either is given: a data set, a link to it, a copy, a folder or a video in it.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.datasets import DataSet, Video
from monitor.errors import DataSetError
from monitor.footage import readable
from monitor.training import Segment, Split, split_normal, whole_segments

log = logging.getLogger(__name__)

Stretches = dict[str, list[list[int]]]  # [first frame, the one after the last] of each video
Contents = dict[str, list[str]]  # where videos lay, by the digest of what they hold


@dataclass(frozen=True)
class Parts:
    """Of some normal footage."""

    learned: tuple[Segment, ...]  # networks or scales come from it
    apart: tuple[Segment, ...]  # nothing but perhaps thresholds


def noted_of(parts: Split, earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What is noted of a split that a model learns by: stretches by the place of their videos.

    With what its earlier provenance notes, where it goes on learning. What it learned from is what
    networks or scales come from; the digests tell copies.
    """
    before = earlier or {}
    return {
        "learned": _noted((*parts.fit, *parts.held_out), before.get("learned", {})),
        "held_out": _noted(parts.held_out, before.get("held_out", {})),
        "kept_apart": _noted(parts.calibration, before.get("kept_apart", {})),
        "contents": _contents(
            (*parts.fit, *parts.held_out, *parts.calibration), before.get("contents", {})
        ),
    }


def split_again(
    videos: Sequence[Video], earlier: Mapping[str, Any], *, span: int, rate_hz: float | None
) -> Split:
    """The split of a training that goes on: frames stay in their part, new videos are parted.

    What a video has grown by is learned from. Of a model that does not note its parts all is parted
    anew.

    Raises:
        DataSetError: If all videos of a part are gone, or as `split_normal`.
    """
    if "kept_apart" not in earlier:
        return split_normal(videos, span=span, rate_hz=rate_hz)
    held_out, kept = earlier["held_out"], earlier["kept_apart"]
    placed = {video.path: _place_in(video, earlier) for video in videos}
    new = [video for video in videos if placed[video.path] is None]
    parts = split_normal(new, span=span, rate_hz=rate_hz) if new else Split((), (), ())
    fit, scaled, calibration = ([*part] for part in vars(parts).values())
    for segment in whole_segments([one for one in videos if placed[one.path] is not None]):
        place = placed[segment.video.path] or ""
        own = [note.get(place, []) for note in (held_out, kept)]
        fit += _beside(segment, _united(own[0] + own[1]))
        scaled += _within(segment, own[0])
        calibration += _within(segment, own[1])
    split = Split(tuple(fit), tuple(scaled), tuple(calibration))
    _check_left(split)
    return split


def _place_in(video: Video, earlier: Mapping[str, Any]) -> str | None:
    """Where the model knew it: there, or as what it is a copy of; None: it is new."""
    known = earlier["learned"].keys() | earlier["kept_apart"].keys()
    if (place := _place(video)) in known:
        return place
    copies = earlier["contents"].get(video.digest, []) if earlier["contents"] else []
    return next((copy for copy in copies if copy in known), None)


def _check_left(split: Split) -> None:
    words = {
        "fit": "to learn from",
        "held_out": "for the scale of errors",
        "calibration": "to set a threshold on",
    }
    for part, what in words.items():
        if not getattr(split, part):
            raise DataSetError(
                f"no video is left {what} of those that were chosen for it when the model began "
                "to learn: put them back, add others, or train it anew"
            )


def _noted(segments: Iterable[Segment], before: Stretches) -> Stretches:
    found = {place: list(stretches) for place, stretches in before.items()}
    for segment in segments:
        found.setdefault(_place(segment.video), []).append([segment.start, segment.stop])
    return {place: _united(stretches) for place, stretches in found.items()}


def _contents(segments: Iterable[Segment], before: Contents) -> Contents:
    found = {digest: set(places) for digest, places in before.items()}
    for segment in segments:
        if segment.video.digest is not None:
            found.setdefault(segment.video.digest, set()).add(_place(segment.video))
    return {digest: sorted(places) for digest, places in found.items()}


def apart_of(
    segments: Iterable[Segment], learned: Stretches, contents: Contents | None = None
) -> tuple[Segment, ...]:
    """What is left of the segments without what was learned from."""
    return tuple(
        piece
        for segment in segments
        for piece in _beside(segment, _stretches(segment.video, learned, contents or {}))
    )


def has_learned_from(provenance: Mapping[str, Any], videos: Iterable[Video]) -> bool:
    """Whether the model with that provenance did so from any of these."""
    learned, contents = provenance.get("learned", {}), provenance.get("contents", {})
    return any(_stretches(video, learned, contents) for video in videos)


def parted(provenance: Mapping[str, Any], data: DataSet) -> Parts:
    """The normal footage of a data set, as the model with that provenance saw it.

    Raises:
        DataSetError: If there is none, or a video has no known end (a live camera).
        SourceError: If none can be read, or one cannot and the set was opened as strict.
    """
    warn_of_no_note(provenance)
    noted, contents = provenance.get("learned", {}), provenance.get("contents", {})
    whole = whole_segments(readable(_normal(data), []))
    learned = tuple(
        piece
        for segment in whole
        for piece in _within(segment, _stretches(segment.video, noted, contents))
    )
    return Parts(learned, apart_of(whole, noted, contents))


def _normal(data: DataSet) -> Sequence[Video]:
    """Its training videos; where it has none, all but those that labels call anomalous anywhere."""
    if data.train:
        return data.train
    normal = [one for one in data.test if one.labels is None or not one.labels.any()]
    if data.test and not normal:
        raise DataSetError(
            f"{data.root}: there is something anomalous in all of its {len(data.test)} videos, as "
            "its labels say; expected normal footage"
        )
    return normal


def warn_of_no_note(provenance: Mapping[str, Any]) -> None:
    """Say so, where a model learned from something and does not note from what."""
    if "data" in provenance and "learned" not in provenance:
        log.warning(
            "the model is of an earlier version, which did not note what it learned from: nothing "
            "can be left out here; name what it did not learn from, or train it again"
        )


def _within(segment: Segment, stretches: list[list[int]]) -> Iterator[Segment]:
    """What it has of the stretches."""
    for start, stop in stretches:
        if start < segment.stop:
            yield replace(segment, start=start, stop=min(stop, segment.stop))


def _beside(segment: Segment, stretches: list[list[int]]) -> Iterator[Segment]:
    """What the stretches leave of it; they are in order and share no frame."""
    begin = segment.start
    for start, stop in [*stretches, [segment.stop, segment.stop]]:
        if begin < (end := min(start, segment.stop)):
            yield replace(segment, start=begin, stop=end)
        begin = max(begin, stop)


def _united(stretches: list[list[int]]) -> list[list[int]]:
    """In order; those that meet are one."""
    found: list[list[int]] = []
    for start, stop in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = [found[-1][0], max(stop, found[-1][1])]
        else:
            found.append([start, stop])
    return found


def _stretches(video: Video, learned: Stretches, contents: Contents) -> list[list[int]]:
    """What was learned from of it, and of what it is a copy of."""
    places = {_place(video)}
    if contents and video.digest is not None:
        places |= set(contents.get(video.digest, ()))
    return _united([stretch for place in places for stretch in learned.get(place, [])])


def _place(video: Video) -> str:
    return str(Path(video.path).resolve())
