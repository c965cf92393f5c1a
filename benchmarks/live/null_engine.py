"""The real engine with a scorer that computes nothing: what the engine itself costs.

    python -m benchmarks.live.null_engine CONFIG

It reads every frame out of the rings as the real one does, and takes the share of strongly red
pixels for the score: pictures can so be made anomalous at will. A file `clock` beside CONFIG, with
a number of seconds in it, sets its wall clock.
"""

import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from models.spec import ClipSpec
from monitor.alert_rule import AlertRule
from monitor.calibration import Recording, calibrate
from monitor.capture.records import Captured
from monitor.capture.ring import Ring, SharedMemoryError
from monitor.cli.live import run_engine
from monitor.live.clock import Clock
from monitor.live.evidence import encode
from monitor.live.messages import (
    Answer,
    Attach,
    Detach,
    LiveReading,
    LoadModel,
    ModelLoaded,
    Order,
    Quit,
    Round,
    Scored,
)
from monitor.records import MapScale

SPEC = ClipSpec(size=(90, 160), channels=1)
RED_IS_ODD = 100.0  # of the score, per share of red pixels: 5 % red scores 6, the threshold is ~1.3


def run_null(link: Connection, stale_s: float) -> None:
    """Instead of `run_scorer`."""
    rings: dict[str, Ring] = {}
    newest: dict[str, Captured] = {}
    ended = threading.Event()
    lock = threading.Lock()

    def read() -> None:
        while not ended.wait(0.02):
            with lock:
                for camera, ring in rings.items():
                    after = newest[camera].sequence if camera in newest else 0
                    frames, _ = ring.since(after)
                    if frames:
                        newest[camera] = frames[-1]
                        ring.release(frames[-1].sequence)

    threading.Thread(target=read, daemon=True).start()
    try:
        while not isinstance(order := link.recv(), Quit):
            with lock:
                answer = _answer(order, rings, newest, stale_s)
            if answer is not None:
                link.send(answer)
    except (EOFError, OSError, KeyboardInterrupt):
        pass
    ended.set()


def _answer(
    order: Order, rings: dict[str, Ring], newest: dict[str, Captured], stale_s: float
) -> Answer | None:
    match order:
        case LoadModel():
            return _model(order.path)
        case Attach():
            newest.pop(order.camera, None)
            with suppress(SharedMemoryError):  # its worker died meanwhile: another one comes
                rings[order.camera] = Ring.attach(order.ring)
        case Detach():
            rings.pop(order.camera, None)
            newest.pop(order.camera, None)
        case Round():
            began = time.monotonic()
            waiting = [(c, newest[c]) for c in order.cameras if c in newest]
            fresh = [(c, f) for c, f in waiting if began - f.received_s <= stale_s]
            stale = {c: {"stale": 1} for c, f in waiting if began - f.received_s > stale_s}
            found = tuple(_score(camera, frame) for camera, frame in fresh)
            return Scored(found, stale, time.monotonic() - began, (len(found),))
    return None


def _score(camera: str, frame: Captured) -> LiveReading:
    small = frame.image[::8, ::8].astype(np.int16)
    red = (small[..., 0] > 180) & (small[..., 1] < 80) & (small[..., 2] < 80)
    score = 1.0 + RED_IS_ODD * float(red.mean())
    now_s = time.monotonic()
    heat = red.astype(np.float16) if score > 1.5 else None
    jpeg = encode(frame.image) if score > 1.5 else None
    return LiveReading(
        camera, frame.epoch, frame.index, frame.time_s, frame.received_s, frame.received_s,
        now_s, score, 0.5, {}, jpeg, heat,
    )  # fmt: skip


def _model(path: str) -> ModelLoaded:
    noise = np.abs(np.random.default_rng(0).normal(1.0, 0.05, 20_000))
    times_s = np.arange(len(noise)) / 2
    calibration = calibrate([Recording(noise, times_s)], AlertRule(), false_alarms_per_day=24)
    return ModelLoaded(
        path, "0" * 32, "null", "nothing", 10.0, SPEC, 0.0, None, calibration.to_dict(),
        MapScale(0.0, 0.5), "", 8,
    )  # fmt: skip


def clock_set_by(file: Path) -> Clock:
    """The machine's, its wall clock off by the seconds in that file, if there is one."""

    def utc() -> datetime:
        try:
            offset_s = float(file.read_text())
        except (OSError, ValueError):
            offset_s = 0.0
        return datetime.now(UTC) + timedelta(seconds=offset_s)

    return Clock(utc=utc)


if __name__ == "__main__":
    run_engine(
        Path(sys.argv[1]), run_null, clock_set_by(Path(sys.argv[1]).parent / "clock"), idle=True
    )
