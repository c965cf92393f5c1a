"""Long videos in pieces that give the very scores of the whole: planned, scored, kept. No Ray.

A piece begins at a batch of the whole video's run and is given the frames before it that its first
clip looks back on, so that it makes the same batches of the same clips. Where a frame of it cannot
be read, clips come out shifted: the piece says so, and the video is done again as a whole.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.clips import GAP_FRAMES, LOST_STEPS, MAX_GAP_S, at_rate
from monitor.computed import Computed
from monitor.datasets import Video
from monitor.files import write_atomically
from monitor.model import Model
from monitor.readings import readings_of
from monitor.records import Frame, Reading
from monitor.runtimes import computed_by
from monitor.scoring import BATCH
from monitor.sources.pictures import Pictures
from monitor.sources.video import VideoFile

PIECE = 64 * BATCH  # clips; of 16 frames each they cost 3 % more decoding than the whole
NO_IMAGE = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one worker does at a time: a video, or clips of one."""

    path: Path | str
    name: str
    limit: int | None
    folder_rate_hz: float | None
    strict: bool
    maps: bool
    number: int = 0
    taken: NDArray[np.int64] | None = None  # frames that clips are made of; None: the whole video
    clips: int = 0  # that come of them


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The readings of a piece as columns: small to send and to keep."""

    index: NDArray[np.int64]
    time_s: NDArray[np.float64]
    epoch: NDArray[np.int64]
    score: NDArray[np.float64]
    p_value: NDArray[np.float64] | None
    terms: dict[str, NDArray[np.float64]]
    maps: NDArray[np.float32] | None
    frames: int  # read; of the whole video only
    lost: tuple[str, ...] = ()  # what could not be read, a line each
    notes: tuple[str, ...] = field(default=())
    computed: frozenset[Computed] = frozenset()

    def readings(self) -> Iterator[Reading]:
        """As the detector gave them, without the pictures."""
        for i in range(len(self.index)):
            frame = Frame(NO_IMAGE, int(self.index[i]), float(self.time_s[i]), int(self.epoch[i]))
            yield Reading(
                frame,
                float(self.score[i]),
                None if self.p_value is None else float(self.p_value[i]),
                {name: float(values[i]) for name, values in self.terms.items()},
                None if self.maps is None else self.maps[i],
            )


def cut(video: Video, model: Model, *, maps: bool, clips: int = PIECE) -> list[Piece]:
    """The pieces of a video, in order; one of the whole where it is short or cannot be cut."""
    whole = Piece(video.path, video.name, video.limit, video.folder_rate_hz, video.strict, maps)
    taken = _taken(video, model)
    span = model.detector.spec.span
    if taken is None or len(taken) - span + 1 < clips * 3 // 2:
        return [whole]
    count = len(taken) - span + 1
    starts = list(range(0, count, clips))
    if count - starts[-1] < clips // 2:
        starts.pop()
    return [
        replace(whole, number=i, taken=taken[start : stop + span - 1], clips=stop - start)
        for i, (start, stop) in enumerate(pairwise([*starts, count]))
    ]


def _taken(video: Video, model: Model) -> NDArray[np.int64] | None:
    """Which frames the model looks at, if all can be read; None: only reading them tells."""
    count = video.n_frames
    if count is None or (model.rate_hz and model.rate_hz < GAP_FRAMES / MAX_GAP_S):
        return None
    source = video.source
    if isinstance(source, VideoFile):
        cuttable = source.index.seekable and not source.index.cut_off
    else:
        cuttable = isinstance(source, Pictures)
    if not cuttable:
        return None
    stubs = (Frame(NO_IMAGE, index, source.time_s(index)) for index in range(count))
    taken = list(at_rate(stubs, model.rate_hz))
    longest_s = min(MAX_GAP_S, LOST_STEPS / model.rate_hz) if model.rate_hz else MAX_GAP_S
    if any(after.time_s - before.time_s > longest_s for before, after in pairwise(taken)):
        return None
    return np.array([frame.index for frame in taken], np.int64)


def score_piece(piece: Piece, model: Model) -> Scores:
    """Its readings; fewer than it says where a frame cannot be read.

    Raises:
        SourceError: The video cannot be opened, or read where it is strict.
    """
    video = Video(
        piece.name,
        piece.path,
        limit=piece.limit,
        folder_rate_hz=piece.folder_rate_hz,
        strict=piece.strict,
    )
    with video.source:
        counted = _Counted(video.frames())
        if piece.taken is None:
            readings = readings_of(counted, model, maps=piece.maps)
        else:
            first, last = int(piece.taken[0]), int(piece.taken[-1])
            counted = _Counted(video.frames(first, last + 1))
            wanted = set(piece.taken.tolist())
            chosen = (frame for frame in counted if frame.index in wanted)
            unthinned = replace(model, provenance=model.provenance | {"rate_hz": None})
            readings = readings_of(chosen, unthinned, maps=piece.maps)
        columns = _columns(readings)
        lost, notes = tuple(video.source.corrupt), tuple(video.source.notes)
        computed = computed_by(model.detector)
        return replace(columns, frames=counted.frames, lost=lost, notes=notes, computed=computed)


class _Counted:
    def __init__(self, frames: Iterable[Frame]) -> None:
        self._source, self.frames = frames, 0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._source:
            self.frames += 1
            yield frame


def whole(piece: Piece) -> Piece:
    """The video that it is a piece of."""
    return replace(piece, number=0, taken=None, clips=0)


def is_exact(piece: Piece, found: Scores) -> bool:
    """Whether the whole video would give these scores here."""
    return piece.taken is None or (len(found.index) == piece.clips and not found.lost)


def _columns(readings: Iterable[Reading]) -> Scores:
    """Column by column as they come: a reading holds its whole picture."""
    rows: list[tuple[int, float, int, float, float | None]] = []
    terms: dict[str, list[float]] = {}
    maps: list[NDArray[np.float32]] = []
    for reading in readings:
        frame = reading.frame
        rows.append((frame.index, frame.time_s, frame.epoch, reading.score, reading.p_value))
        for name, value in reading.terms.items():
            terms.setdefault(name, []).append(value)
        if reading.map is not None:
            maps.append(reading.map)
    index, time_s, epoch, score, p_value = zip(*rows, strict=True) if rows else ((),) * 5
    return Scores(
        np.array(index, np.int64),
        np.array(time_s, np.float64),
        np.array(epoch, np.int64),
        np.array(score, np.float64),
        np.array(p_value, np.float64) if rows and p_value[0] is not None else None,
        {name: np.array(values, np.float64) for name, values in terms.items()},
        np.stack(maps) if maps else None,
        0,
    )


class Kept:
    """Finished pieces in a folder, so that an interrupted run goes on; `clear` at the end."""

    def __init__(self, folder: Path, run: str) -> None:
        """`run` tells the model and all else that the scores depend on."""
        self._folder, self._run = folder, run

    def get(self, piece: Piece) -> Scores | None:
        """What was kept of it; None: nothing, or nothing whole."""
        try:
            with np.load(self._place(piece), allow_pickle=False) as found:
                return _loaded(dict(found))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def put(self, piece: Piece, found: Scores) -> None:
        """Keep it; a full disk loses only the resuming."""
        arrays = {f"term:{name}": values for name, values in found.terms.items()}
        arrays |= {name: getattr(found, name) for name in ("index", "time_s", "epoch", "score")}
        arrays |= {n: v for n in ("p_value", "maps") if (v := getattr(found, n)) is not None}
        arrays |= {"lost": np.array(found.lost, np.str_), "notes": np.array(found.notes, np.str_)}
        arrays["computed"] = np.array([astuple(one) for one in sorted(found.computed)], np.str_)
        content = io.BytesIO()
        np.savez(content, frames=np.array(found.frames), **arrays)  # type: ignore[arg-type]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._place(piece), content.getvalue())
        except OSError:
            return

    def clear(self) -> None:
        """Forget all of them, those of other runs too."""
        for path in self._folder.glob("*.npz"):
            path.unlink(missing_ok=True)
        if self._folder.exists() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _place(self, piece: Piece) -> Path:
        taken = "" if piece.taken is None else f"{piece.taken[0]}-{piece.taken[-1]}"
        facts = (self._run, piece.path, _stamp(piece.path), piece.limit, taken, piece.maps)
        name = hashlib.sha256(repr((*facts, piece.folder_rate_hz)).encode()).hexdigest()[:24]
        return self._folder / f"{name}.npz"


def _stamp(path: Path | str) -> tuple[int, int]:
    """Another file at the same place is another video."""
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _loaded(arrays: dict[str, NDArray[np.generic]]) -> Scores:
    plain = {n: arrays[n] for n in ("index", "time_s", "epoch", "score")}
    terms = {n.removeprefix("term:"): v for n, v in arrays.items() if n.startswith("term:")}
    return Scores(
        **plain,  # type: ignore[arg-type]
        p_value=arrays.get("p_value"),  # type: ignore[arg-type]
        terms=terms,  # type: ignore[arg-type]
        maps=arrays.get("maps"),  # type: ignore[arg-type]
        frames=int(arrays["frames"]),
        lost=tuple(str(line) for line in arrays["lost"]),
        notes=tuple(str(line) for line in arrays["notes"]),
        computed=frozenset(Computed(*map(str, one)) for one in arrays["computed"]),
    )
