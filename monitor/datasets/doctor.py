"""What is wrong with a data set, said before an hour of training is spent on it.

Never raises for a fault in the data: every fault is a finding.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from monitor.datasets import DataSet, Video, open_data
from monitor.errors import LabelError, MonitorError, UsageError
from monitor.records import same_shape
from monitor.sources.listing import list_folder

Severity = Literal["error", "warning", "info"]
CLIPS = {  # frames that a detector of preset `lite` looks at at once
    "frame_prediction": 5,
    "motion": 6,
    "fusion": 6,
    "conv_autoencoder": 8,
    "memae_video": 8,
    "conv3d_autoencoder": 23,
}
SHORTEST = min(CLIPS.values())


@dataclass(frozen=True)
class Room:
    """What training has of a data set for a detector that looks at so many frames at once."""

    frames: int  # at once, of the longest stretch in the smaller part
    threshold: bool  # whether what calibrates goes on after the warm-up


Rooms = Callable[[DataSet, int], Room]  # by the frames that the detector looks at


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing."""

    severity: Severity
    text: str
    path: str


@dataclass(frozen=True)
class SplitCounts:
    """What one split holds."""

    clips: int = 0
    frames: int = 0
    labelled_frames: int = 0
    anomalous_frames: int = 0
    sizes: tuple[tuple[int, int], ...] = ()  # height, width; each that occurs
    rates_hz: tuple[float, ...] = ()  # each that occurs; empty for folders of stills


@dataclass(frozen=True)
class Diagnosis:
    """All that was found, and whether the data can be used."""

    name: str
    layout: str | None  # None: not recognised
    label_source: str | None
    train: SplitCounts
    test: SplitCounts
    findings: tuple[Finding, ...]
    will_train: bool
    will_score: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class _Patient:
    """One clip after it has been looked at."""

    video: Video
    n_frames: int | None = 0  # None: a stream, which goes on
    size: tuple[int, int] | None = None
    rate_hz: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def usable(self) -> bool:
        long = self.n_frames is None or self.n_frames >= SHORTEST
        return self.size is not None and long


def examine(
    data: str | Path,
    *,
    full: bool,
    layout: str | None = None,
    folder_rate_hz: float | None = None,
    room: Rooms | None = None,
) -> Diagnosis:
    """Recognise, count, decode: every frame if `full`, else each clip's first, middle and last.

    Where it is told by `room`, training works if the parts that it makes of the footage hold clips;
    where they leave it without a threshold, that is said.

    Raises:
        UsageError: If `layout` is not known or a rate is none; that is no fault of the data.
    """
    faults: list[MonitorError] = []
    try:
        found = open_data(data, layout=layout, folder_rate_hz=folder_rate_hz, fault=faults.append)
    except UsageError:
        raise
    except MonitorError as error:
        return _hopeless(Path(data), [*faults, error])
    train = [_look(video, full=full) for video in found.train]
    same = found.train and found.test and found.train[0].path == found.test[0].path
    test = train if same else [_look(video, full=full) for video in found.test]
    will_train = any(one.usable for one in train) and _one_shape(train)
    little = list(_too_little(found, room)) if will_train and room is not None else []
    will_train = will_train and not any(one.severity == "error" for one in little)
    wrong_truth = any(isinstance(fault, LabelError) for fault in faults)
    findings = [
        *(Finding("error", str(fault), str(found.root)) for fault in faults),
        *(Finding("info", note, str(found.root)) for note in found.notes),
        *(finding for one in (train if same else train + test) for finding in one.findings),
        *_whole(found, train, test),
        *little,
    ]
    return Diagnosis(
        name=found.name,
        layout=found.layout,
        label_source=found.label_source,
        train=_count(train),
        test=_count(test),
        findings=_ordered(findings),
        will_train=will_train,
        will_score=any(one.usable for one in test or train) and not wrong_truth,
    )


def _too_little(found: DataSet, room: Rooms) -> Iterator[Finding]:
    """For which detectors there is too little to learn from, or to set a threshold on."""
    try:
        rooms = {clip: room(found, clip) for clip in sorted(set(CLIPS.values()))}
    except MonitorError as error:
        yield Finding("error", str(error), str(found.root))
        return
    short = [f"{name} ({clip})" for name, clip in CLIPS.items() if clip > rooms[clip].frames]
    bare = [
        name
        for name, clip in CLIPS.items()
        if clip <= rooms[clip].frames and not rooms[clip].threshold
    ]
    if bare:
        text = (
            f"{', '.join(bare)}: training will set no threshold, as nothing of what is kept apart "
            "for it goes on after the warm-up of the alert rule; record longer videos, or "
            "calibrate on other normal footage"
        )
        yield Finding("warning", text, str(found.root))
    if short:
        frames = min(
            rooms[clip].frames for name, clip in CLIPS.items() if clip > rooms[clip].frames
        )
        text = (
            f"of the normal footage an eighth is held out, which leaves {frames} frames at once: "
            f"too few for the clips of {', '.join(short)}; record more to train these"
        )
        yield Finding("error" if len(short) == len(CLIPS) else "warning", text, str(found.root))


def _hopeless(path: Path, errors: list[MonitorError]) -> Diagnosis:
    findings = tuple(Finding("error", str(error), str(path)) for error in errors)
    nothing = SplitCounts()
    return Diagnosis(
        path.name, None, None, nothing, nothing, findings, will_train=False, will_score=False
    )


def _look(video: Video, *, full: bool) -> _Patient:
    """Open and decode one clip."""
    where = str(video.path)
    try:
        source, n_frames = video.source, video.n_frames
        for _ in _sample(video, n_frames, full=full):
            pass
        size, rate = source.size, source.rate_hz
    except MonitorError as error:
        return _Patient(video, findings=(Finding("error", str(error), where),))
    findings = [Finding("error", lost, where) for lost in source.corrupt]
    findings += [Finding("warning", note, where) for note in source.notes]
    findings += _litter(where)
    if n_frames is not None and n_frames < SHORTEST:
        text = (
            f"{video.name}: {n_frames} frames; shorter than a clip of {SHORTEST}, the shortest of "
            "any detector, so not used"
        )
        findings.append(Finding("warning", text, where))
    return _Patient(video, n_frames, size, rate, tuple(findings))


def _sample(video: Video, n_frames: int | None, *, full: bool) -> Iterator[object]:
    if n_frames is None:  # a stream: the one frame that is sure to come
        yield from video.frames(0, 1)
    elif full:
        yield from video.frames()
    else:
        for index in sorted({0, n_frames // 2, max(0, n_frames - 1)}):
            yield from video.frames(index, index + 1)


def _litter(where: str) -> list[Finding]:
    path = Path(where)
    litter = list_folder(path).litter if path.is_dir() else ()
    if not litter:
        return []
    return [Finding("info", f"{len(litter)} hidden files ignored, e.g. {litter[0].name}", where)]


def _whole(found: DataSet, train: list[_Patient], test: list[_Patient]) -> Iterator[Finding]:
    """What only shows when clips are looked at together."""
    root = str(found.root)
    if not train:
        yield Finding("error", "no training clips: nothing to learn from", root)
    if not test:
        yield Finding("warning", "no test clips: nothing to judge by", root)
    if found.layout == "video" and Path(found.root).is_dir():
        text = "taken for the frames of a video; layout plain takes them for single pictures"
        yield Finding("info", text, root)
    yield from _labels(found, test)
    for split, patients in (("training", train), ("test", test)):
        yield from _mixed(split, patients, root)


def _labels(found: DataSet, test: list[_Patient]) -> Iterator[Finding]:
    root = str(found.root)
    bare = [one.video.name for one in test if one.video.labels is None]
    if test and len(bare) == len(test):
        yield Finding("warning", "no labels: scores, but no figures of merit", root)
    elif bare:
        yield Finding("warning", f"no labels for {_some(bare)}: not in the figures", root)
    for one in test:
        labels = one.video.labels
        if labels is not None and (labels.all() or not labels.any()):
            kind = "anomalous" if labels.all() else "normal"
            text = f"{one.video.name}: all {len(labels)} frames are {kind}; no AUROC of its own"
            yield Finding("info", text, str(one.video.path))


def _one_shape(patients: list[_Patient]) -> bool:
    """Whether training takes them for one camera."""
    sizes = [one.size for one in patients if one.size]
    return all(same_shape(size, sizes[0]) for size in sizes)


def _mixed(split: str, patients: list[_Patient], root: str) -> Iterator[Finding]:
    counts = _count(patients)
    if len(counts.sizes) > 1:
        sizes = ", ".join(f"{width}x{height}" for height, width in counts.sizes)
        yield Finding("warning", f"{split} clips are of several sizes: {sizes}", root)
    if not _one_shape(patients):
        text = f"{split} clips differ in shape, so are of several cameras; a model is for one"
        yield Finding("error", text, root)
    if len(counts.rates_hz) > 1:
        rates = ", ".join(f"{rate:g}" for rate in counts.rates_hz)
        yield Finding("warning", f"{split} clips are of several rates: {rates} per second", root)


def _count(patients: list[_Patient]) -> SplitCounts:
    labels = [one.video.labels for one in patients if one.video.labels is not None]
    return SplitCounts(
        clips=len(patients),
        frames=sum(one.n_frames or 0 for one in patients),
        labelled_frames=sum(len(own) for own in labels),
        anomalous_frames=int(sum(own.sum() for own in labels)),
        sizes=tuple(sorted({one.size for one in patients if one.size})),
        rates_hz=tuple(sorted({round(one.rate_hz, 3) for one in patients if one.rate_hz})),
    )


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """Errors first, each said once."""
    order: tuple[Severity, ...] = ("error", "warning", "info")
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: order.index(finding.severity)))


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
