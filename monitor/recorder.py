"""Evidence on disk: for each alert a picture that shows where, the plain one, and a short clip.

Every file appears whole, under its name, or not at all. Knows nothing of the database: paths are
handed back and the caller writes the row.
"""

import contextlib
import hashlib
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from monitor.addresses import public_address
from monitor.alert_rule import LATE_S
from monitor.clip_writer import ClipWriter
from monitor.drawn import marked_jpeg
from monitor.errors import StoreError
from monitor.files import write_atomically
from monitor.overlay import overlay, to_heat
from monitor.records import Alert, Frame, Image, MapScale, Reading

WAIT_S = 15.0  # frames kept beyond the pre-roll, while it is open whether they belong to an alert


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """How much is kept of what."""

    pre_s: float = 5.0  # before the alert's start (Frigate and Viseron: 5 s)
    post_s: float = 5.0  # after its end
    longest_s: float = 120.0  # of a clip; what is longer is cut, the alert is not
    ring_bytes: int = 32_000_000  # frames in memory, per source: 15 s of 720p at 20 per second
    jpeg_quality: int = 85  # under 80 a compression block shows on faces and plates


@dataclass(frozen=True, slots=True)
class Evidence:
    """What lies on the disk for an alert, so far."""

    alert_id: str
    snapshot: Path | None = None  # with the heat map, where the reading had one
    plain: Path | None = None  # the same frame untouched, beside it
    clip: Path | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    time_s: float
    jpeg: bytes


@dataclass(slots=True)
class _Case:
    """The alert whose evidence is being gathered."""

    alert: Alert
    until_s: float
    written_s: float  # clip is complete up to here
    writer: ClipWriter | None = None
    shown_score: float = -np.inf  # of the snapshot
    broken: bool = False  # the disk failed: said once, not tried again for this alert


class Recorder:
    """Gathers the evidence of one source's alerts, one alert at a time.

    Raises:
        StoreError: From `keep`, `follow` and `close`, where the disk is full or may not be
            written; once per alert, which then gets no more evidence.
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        *,
        settings: EvidenceSettings | None = None,
        map_scale: MapScale | None = None,
    ) -> None:
        """Files go to a folder of the source's own under `folder`; see `to_heat` for the scale."""
        self.folder = folder / safe_name(source)
        self._settings = settings or EvidenceSettings()
        self._map_scale = map_scale
        self._ring: deque[_Kept] = deque()
        self._ring_bytes = 0
        self._epoch = 0
        self._case: _Case | None = None
        self._sweep()

    def keep(self, frame: Frame) -> list[Evidence]:
        """Remember a frame, unless it comes late; gives the evidence if it completes a clip."""
        done: list[Evidence] = []
        step_s = frame.time_s - self._ring[-1].time_s if self._ring else 0.0
        if frame.epoch == self._epoch and -LATE_S <= step_s < 0:
            return []
        if frame.epoch != self._epoch or step_s < 0:
            self._epoch = frame.epoch
            self._ring.clear()
            self._ring_bytes = 0
            done = self.close()
        self._remember(_Kept(frame.time_s, self._jpeg(frame.image)))
        return done + self._advance()

    def follow(self, alert: Alert, reading: Reading | None = None) -> list[Evidence]:
        """Take a phase of an alert and the reading it came with; gives what is new on the disk."""
        done: list[Evidence] = []
        case = self._case
        if case is None or case.alert.id != alert.id:
            if alert.phase != "new":
                return []
            done = self.close()
            case = self._case = _open(alert, self._settings)
        case.alert = alert
        longest_until_s = alert.start_s - self._settings.pre_s + self._settings.longest_s
        case.until_s = min(alert.end_s + self._settings.post_s, longest_until_s)
        if reading is not None:
            done += self._show(case, reading)
        return done + self._advance()

    def close(self) -> list[Evidence]:
        """Finish the clip with the frames there are."""
        case, self._case = self._case, None
        if case is None or case.broken:
            return []
        with self._disk(case):
            self._write_due(case)
            clip = case.writer.finish() if case.writer is not None else None
        return [Evidence(case.alert.id, clip=clip)] if clip is not None else []

    def _advance(self) -> list[Evidence]:
        """Write the frames that are known to belong; finish when the last has come."""
        case = self._case
        if case is None or case.broken:
            return []
        with self._disk(case):
            self._write_due(case)
        ended = case.alert.phase == "end"
        come = bool(self._ring) and self._ring[-1].time_s >= case.until_s
        return self.close() if ended and (come or case.alert.ended_by) else []

    def _write_due(self, case: _Case) -> None:
        for kept in self._ring:
            if case.written_s < kept.time_s <= case.until_s:
                if case.writer is None:
                    case.writer = ClipWriter(self._path(case.alert, ".mp4"))
                case.writer.write(_picture(kept.jpeg), kept.time_s)
                case.written_s = kept.time_s

    def _show(self, case: _Case, reading: Reading) -> list[Evidence]:
        """Write the pictures if this reading is the most anomalous so far."""
        if case.broken or reading.score <= case.shown_score:
            return []
        case.shown_score = reading.score
        with self._disk(case):
            image = reading.frame.image
            snapshot, plain = self._path(case.alert, ".jpg"), None
            jpeg = self._jpeg(image)
            if reading.map is not None:
                plain = self._path(case.alert, "-plain.jpg")
                write_atomically(plain, jpeg)
                heat = to_heat(reading.map, self._map_scale)
                jpeg = marked_jpeg(self._jpeg(overlay(image, heat)))
            write_atomically(snapshot, jpeg)
        return [Evidence(case.alert.id, snapshot=snapshot, plain=plain)]

    def _remember(self, kept: _Kept) -> None:
        self._ring.append(kept)
        self._ring_bytes += len(kept.jpeg)
        oldest_s = kept.time_s - self._settings.pre_s - WAIT_S
        while len(self._ring) > 1 and (
            self._ring[0].time_s < oldest_s or self._ring_bytes > self._settings.ring_bytes
        ):
            self._ring_bytes -= len(self._ring.popleft().jpeg)

    def _jpeg(self, image: Image) -> bytes:
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._settings.jpeg_quality]
        encoded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), quality)[1]
        return encoded.tobytes()

    def _path(self, alert: Alert, ending: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{safe_name(alert.id)}{ending}"

    @contextmanager
    def _disk(self, case: _Case) -> Iterator[None]:
        try:
            yield
        except (OSError, av.FFmpegError) as error:
            case.broken = True
            if case.writer is not None:
                case.writer.discard()
            said = getattr(error, "strerror", None) or str(error)
            raise StoreError(
                f"no evidence for alert {case.alert.id}: {self.folder} cannot be written ({said})"
            ) from error

    def _sweep(self) -> None:
        """Remove what a run that was killed left half written."""
        with contextlib.suppress(OSError):
            for partial in self.folder.glob(".*.part"):
                partial.unlink(missing_ok=True)


def _open(alert: Alert, settings: EvidenceSettings) -> _Case:
    from_s = alert.start_s - settings.pre_s
    return _Case(alert, alert.end_s, float(np.nextafter(from_s, -np.inf)))


def safe_name(text: str) -> str:
    """A file name for any text, the same for the same text and different for different ones.

    What is secret in addresses does not get into it; those that differ in nothing else share it.
    """
    public = public_address(text) if "://" in text else text
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", public).strip("._")[:60]
    if plain and plain == text:
        return plain
    return f"{plain}-{hashlib.sha256(public.encode()).hexdigest()[:8]}".lstrip("-")


def _picture(jpeg: bytes) -> Image:
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded here
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)
