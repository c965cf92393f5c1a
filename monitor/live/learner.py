"""A camera that learns its own model: collects normal footage, trains, calibrates, goes live.

Footage is cut by the capture worker from the packets that come anyway; training is the command a
user would type, in a process of low priority. What was collected or learned outlives a restart.
"""

import asyncio
import json
import logging
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Literal

from monitor.api.schema import Learning
from monitor.capture.records import ClipFailed, ClipWritten, Command, EndClip, StartClip
from monitor.errors import StoreError
from monitor.files import write_atomically
from monitor.priorities import LEARNING
from monitor.recorder import safe_name

log = logging.getLogger(__name__)

AGAIN_S = 30.0  # after a segment that could not be written
RETRY_S, LONGEST_RETRY_S = 600.0, 6 * 3600.0  # after a training that failed
MOST_FAILURES = 10  # counted
CHILD = "monitor.cli.child"  # it ends with the engine
LEAST_S = 5.0  # a shorter stretch is not worth keeping
SLACK_S = 1.0  # over what is wanted: between the last frame and the end of a segment
SEGMENT_S = 600.0  # collected in pieces, so that a crash costs ten minutes at most


@dataclass(slots=True)
class _Segment:
    path: Path
    began_s: float  # time.monotonic(), as below
    ended_s: float = 0.0
    outdated: bool = False  # it shows what was before `forget`


@dataclass(slots=True)
class Learner:
    """One camera's own model. Asked by the engine in its loop; nothing here waits."""

    folder: Path  # of the engine
    camera: str
    wanted_s: float
    detector: str
    minutes: float
    false_alarms_per_day: float = 0.0  # 0: the command's own default
    fault: str = ""  # why the last segment is none
    wanting: bool = field(init=False)  # a model: there is none, or it is to be learned anew
    _collected: dict[str, float] = field(default_factory=dict)  # file name -> seconds
    _open: _Segment | None = None
    _again_s: float = -inf  # of the next segment; inf: one has failed, to be set
    _started_s: float | None = None  # of training
    _failures: int = 0  # of training, in a row
    _retry_s: float | None = None  # when it is tried again
    _running: "asyncio.subprocess.Process | None" = None
    _outdated: bool = False  # what is being trained: it was told to begin anew meanwhile

    def __post_init__(self) -> None:
        self.wanting = self._anew.exists() or not self.model.exists()

    def take_up(self) -> None:
        """What an earlier run collected; what it did not finish is removed."""
        if self._open is not None:
            return
        self._collected = {}
        try:
            noted = json.loads(self._notes.read_text()) if self._notes.exists() else {}
            self._collected = {k: float(v) for k, v in noted.items() if (self.own / k).exists()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("%s cannot be read (%s): collecting begins anew", self._notes, error)
            return
        self._sweep()

    @property
    def own(self) -> Path:
        """Where this camera's footage lies."""
        return self.folder / "learning" / safe_name(self.camera)

    @property
    def model(self) -> Path:
        """Where its model will lie, or does."""
        return self.folder / "models" / f"{safe_name(self.camera)}.pt"

    @property
    def collected_s(self) -> float:
        """Of whole segments."""
        return sum(self._collected.values())

    @property
    def enough(self) -> bool:
        """Whether training can begin."""
        return self.collected_s >= self.wanted_s and self._open is None

    @property
    def collecting(self) -> bool:
        """Whether a segment is being written."""
        return self._open is not None

    @property
    def training(self) -> bool:
        """Whether the training process runs."""
        return self._running is not None

    def collect(self, now_s: float) -> Command | None:
        """A segment to begin, where one is needed and none is open."""
        if self._again_s == inf:
            self._again_s = now_s + AGAIN_S
        if self._open is not None or self.collected_s >= self.wanted_s or now_s < self._again_s:
            return None
        try:
            self.own.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._fail(f"{self.own} cannot be made: {error.strerror or error}")
            return None
        path = self.own / f"{len(self._collected):04d}-{int(now_s)}.mp4"
        self._open = _Segment(path, now_s)
        return StartClip(self._id(path), path, now_s, self._to_come_s + 1)

    def due(self, now_s: float) -> Command | None:
        """The end of the open segment, once it is long enough."""
        if self._open is None:
            return None
        length_s = now_s - self._open.began_s
        if length_s < self._to_come_s and not self._open.outdated:
            return None
        return self.break_off(now_s)

    def break_off(self, now_s: float) -> Command | None:
        """The end of the open segment at once: it is long enough, or the camera is gone."""
        if self._open is None or self._open.ended_s:
            return None
        self._open.ended_s = now_s
        return EndClip(self._id(self._open.path), now_s)

    def written(self, notice: ClipWritten | ClipFailed) -> bool:
        """Whether this was a segment of ours."""
        if self._open is None or notice.alert_id != self._id(self._open.path):
            return False
        segment, self._open = self._open, None
        if isinstance(notice, ClipFailed):
            segment.path.unlink(missing_ok=True)
            self._fail(notice.text)
        elif segment.outdated or notice.seconds < LEAST_S:
            notice.path.unlink(missing_ok=True)
        else:
            self._keep(notice)
        return True

    def _keep(self, segment: ClipWritten) -> None:
        collected = self._collected | {segment.path.name: segment.seconds}
        try:
            write_atomically(self._notes, json.dumps(collected))
        except OSError as error:
            segment.path.unlink(missing_ok=True)
            self._fail(f"{self._notes} cannot be written: {error.strerror or error}")
            return
        self._collected, self.fault = collected, ""

    def _fail(self, why: str) -> None:
        self.fault, self._again_s = f"footage to learn from is lost: {why}", inf
        log.warning("%s: %s; tried again in %.0f s", self.camera, self.fault, AGAIN_S)

    def lost(self) -> None:
        """The worker that was writing is gone; what it wrote is not whole."""
        self._open = None

    async def train(self, now_s: float) -> str | None:
        """Train and calibrate.

        Returns:
            Empty: the model stands. Why not, in one line. None: `forget` broke it off.
        """
        self._started_s, self._outdated = now_s, False
        self.model.parent.mkdir(parents=True, exist_ok=True)
        new = self.model.with_suffix(".new.pt")
        words = ["train", self.detector, str(self.own), "--minutes", f"{self.minutes:g}"]
        if self.false_alarms_per_day:
            words += ["--false-alarms-per-day", f"{self.false_alarms_per_day:g}"]
        self._running = await asyncio.create_subprocess_exec(
            "nice", "-n", str(LEARNING), sys.executable, "-m", CHILD, *words, "-o", str(new),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            _, said = await self._running.communicate()
            if self._outdated:
                new.unlink(missing_ok=True)
                return None
            if self._running.returncode:
                return _last_line(said) or f"training ended with {self._running.returncode}"
            new.replace(self.model)
            self._anew.unlink(missing_ok=True)
            self.wanting = False
        except OSError as error:
            raise StoreError(f"{self.model} cannot be written: {error.strerror}") from error
        finally:
            if self._running.returncode is None:
                self._running.terminate()
            self._running = None
        return ""

    def put_off(self, now_s: float) -> float:
        """Training has failed: in how many seconds it is tried again, each time twice as many."""
        wait_s = min(RETRY_S * 2.0**self._failures, LONGEST_RETRY_S)
        self._failures, self._retry_s = min(self._failures + 1, MOST_FAILURES), now_s + wait_s
        return wait_s

    def tries_again(self, now_s: float) -> bool:
        """Whether it is time to, once."""
        if self._retry_s is None or now_s < self._retry_s:
            return False
        self._retry_s = None
        return True

    def forget(self) -> None:
        """Begin anew, for a camera whose scene has changed; its model works until the next."""
        self._collected, self._failures, self._retry_s = {}, 0, None
        self._notes.unlink(missing_ok=True)
        self._sweep()
        if self._open is not None:
            self._open.outdated = True
        self.own.mkdir(parents=True, exist_ok=True)
        self._anew.touch()  # so that an engine that starts anew goes on with it
        self.fault, self.wanting = "", True
        if self._running is not None:
            self._outdated = True
            if self._running.returncode is None:
                self._running.terminate()

    def progress(self, now_s: float) -> Learning:
        """How far it is."""
        if self._running is not None:
            share = min((now_s - (self._started_s or now_s)) / (60 * self.minutes), 1.0)
            step: Literal["training", "calibrating"] = "calibrating" if share == 1 else "training"
            return Learning(step=step, share=share, text=self.detector)
        have_s = self.collected_s + (now_s - self._open.began_s if self._open else 0.0)
        share = min(have_s / self.wanted_s, 1.0) if self.wanted_s else 1.0
        text = f"{_span(have_s, self.wanted_s)} of normal footage"
        if self.fault:
            text += f"; {self.fault}"
        if self.enough:
            text += "; waits for its turn to be trained"
        return Learning(step="collecting", share=share, text=text)

    def _sweep(self) -> None:
        """Remove segments that do not count, but the one that is being written."""
        for path in self.own.glob("*.*") if self.own.is_dir() else ():
            kept = path.name in self._collected or path == self._notes
            if not kept and (path.suffix != ".part" or self._open is None):
                with suppress(OSError):
                    path.unlink()

    @property
    def _to_come_s(self) -> float:
        """How long a segment is to be; a little over, as it ends with a frame that came before."""
        return min(SEGMENT_S, max(LEAST_S, self.wanted_s - self.collected_s)) + SLACK_S

    @property
    def _anew(self) -> Path:
        """There, as long as what was learned is to be replaced."""
        return self.own / "anew"

    @property
    def _notes(self) -> Path:
        return self.own / "collected.json"

    def _id(self, path: Path) -> str:
        return f"learning-{path.stem}"


def _span(have_s: float, wanted_s: float) -> str:
    """`12 of 20 s`, `3 of 15 min`."""
    size, unit = (1, "s") if wanted_s < 120 else (60, "min")
    return f"{min(have_s, wanted_s) / size:.0f} of {wanted_s / size:.0f} {unit}"


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("oddwatch: ") if lines else ""
