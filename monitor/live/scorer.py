"""The scoring process: one device, any number of models, the newest clips of many cameras.

A thread reads the cameras' rings all the time, so that clips have no holes while a model is busy;
the main thread answers the engine. Knows nothing of alerts.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from models.errors import ModelError
from models.spec import ClipSpec
from monitor.capture.ring import Ring
from monitor.errors import DeviceError, DeviceFullError, MonitorError
from monitor.files import digest_of
from monitor.live.evidence import encode
from monitor.live.lost_device import ADVICE
from monitor.live.messages import (
    Answer,
    Attach,
    Detach,
    LiveReading,
    LoadModel,
    ModelFailed,
    ModelLoaded,
    Order,
    Quit,
    Round,
    Scored,
    ScorerEnds,
    ScorerFault,
)
from monitor.live.window import CameraWindow, Ready
from monitor.model import Model, load_model
from monitor.records import Reading
from monitor.runtimes import Runtime, choose_runtime, runtime_of
from monitor.scoring import score_clips

log = logging.getLogger(__name__)

READ_EVERY_S = 0.02  # half a frame at 25 per second
SHOWN_FROM = 0.5  # times the threshold: from there a picture goes with the reading
BATCHES = (1, 2, 4, 8)
TRIALS = 3


@dataclass(slots=True)
class _Loaded:
    model: Model
    batch: int
    digest: str  # of the file it was read from


class Scorer:
    """Answers orders. Not shared between threads, but for the reading one of its own."""

    def __init__(self, *, stale_s: float) -> None:
        self._stale_s = stale_s
        self._models: dict[str, _Loaded] = {}
        self._windows: dict[str, CameraWindow] = {}
        self._of: dict[str, str] = {}  # camera -> model
        self._lock = threading.Lock()  # of the windows' table
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, name="rings", daemon=True)
        self._reader.start()

    def answer(self, order: Order) -> Iterator[Answer]:
        """Do it; what came of it."""
        match order:
            case LoadModel():
                yield self._load(order)
            case Attach():
                yield from self._attach(order)
            case Detach():
                self._detach(order.camera)
            case Round():
                yield self._round(order.cameras)

    def close(self) -> None:
        """Let go of everything."""
        self._ended.set()
        self._reader.join(timeout=1)
        for camera in list(self._windows):
            self._detach(camera)

    def _load(self, order: LoadModel) -> ModelLoaded | ModelFailed:
        try:
            digest = digest_of(Path(order.path))
            known = self._models.get(order.path)
            if known is None or known.digest != digest:
                model = load_model(Path(order.path), order.device)
                choose_runtime(model.detector, order.runtime)
                model.calibrated()
                batch = best_batch(runtime_of(model.detector), model.detector.spec)
                self._models[order.path] = _Loaded(model, batch, digest)
            return describe(order.path, self._models[order.path])
        except DeviceFullError as error:  # others may fit
            return ModelFailed(order.path, ADVICE.sub("", str(error)))
        except DeviceError:
            raise  # the file is as good as it was
        except (MonitorError, ModelError) as error:
            return ModelFailed(order.path, str(error))
        except FileNotFoundError:
            return ModelFailed(order.path, f"{order.path}: no such model file")
        except Exception as error:  # noqa: BLE001  a broken file fails its own cameras, not all
            said = str(error).partition("\n")[0] or type(error).__name__
            return ModelFailed(order.path, f"{order.path} cannot be read: {said}")

    def _attach(self, order: Attach) -> Iterator[Answer]:
        self._detach(order.camera)
        try:
            model = self._models[order.model].model
            window = CameraWindow(
                Ring.attach(order.ring),
                model.detector.spec,
                model.rate_hz,
                order.include,
                order.exclude,
            )
        except (KeyError, OSError, ValueError) as error:
            yield ScorerFault(order.camera, f"cannot be scored: {error}")
            return
        with self._lock:
            self._windows[order.camera] = window
            self._of[order.camera] = order.model

    def _detach(self, camera: str) -> None:
        with self._lock:
            window = self._windows.pop(camera, None)
            self._of.pop(camera, None)
        if window is not None:
            window.close()

    def _read(self) -> None:
        while not self._ended.wait(READ_EVERY_S):
            with self._lock:
                for window in self._windows.values():
                    window.read()

    def _round(self, cameras: tuple[str, ...]) -> Scored:
        began = time.monotonic()
        dropped: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        waiting: dict[str, list[tuple[str, Ready]]] = defaultdict(list)
        for camera, ready in self._newest(cameras, dropped):
            waiting[self._of[camera]].append((camera, ready))
        readings: list[LiveReading] = []
        batches: list[int] = []
        for path, ready_ones in waiting.items():
            loaded = self._models[path]
            for at in range(0, len(ready_ones), loaded.batch):
                group = ready_ones[at : at + loaded.batch]
                readings += _score(group, loaded.model)
                batches.append(len(group))
        plain = {camera: dict(causes) for camera, causes in dropped.items()}
        return Scored(tuple(readings), plain, time.monotonic() - began, tuple(batches))

    def _newest(
        self, cameras: tuple[str, ...], dropped: dict[str, dict[str, int]]
    ) -> Iterator[tuple[str, Ready]]:
        now_s = time.monotonic()
        for camera in cameras:
            window = self._windows.get(camera)
            if window is None:
                continue
            if window.busy:
                dropped[camera]["busy"] += window.busy
                window.busy = 0
            ready = window.take()
            if ready is None:
                continue
            if now_s - ready.newest_s > self._stale_s:
                dropped[camera]["stale"] += 1
                continue
            yield camera, ready


def _score(group: list[tuple[str, Ready]], model: Model) -> Iterator[LiveReading]:
    clips = [ready.clip for _, ready in group]
    found = list(score_clips(clips, model.detector, batch=len(clips), maps=True))
    calibration = model.calibrated()
    p_values = calibration.p_value([reading.score for reading in found])
    shown = calibration.display([reading.score for reading in found])
    now_s = time.monotonic()
    for (camera, ready), reading, p_value, strength in zip(
        group, found, p_values.tolist(), shown.tolist(), strict=True
    ):
        near = strength >= SHOWN_FROM
        yield LiveReading(
            camera,
            ready.captured.epoch,
            ready.captured.index,
            ready.captured.time_s,
            ready.captured.received_s,
            ready.newest_s,
            now_s,
            reading.score,
            p_value,
            reading.terms,
            encode(ready.captured.image) if near else None,
            _small(reading) if near else None,
        )


def _small(reading: Reading) -> "np.ndarray[tuple[int, ...], np.dtype[np.float16]] | None":
    return None if reading.map is None else np.clip(reading.map, -6e4, 6e4).astype(np.float16)


def describe(path: str, loaded: _Loaded) -> ModelLoaded:
    """What the engine must know of a model."""
    model, spec = loaded.model, loaded.model.detector.spec
    size = model.provenance.get("source_size")
    return ModelLoaded(
        path,
        loaded.digest,
        model.detector.name,
        runtime_of(model.detector).name,
        model.rate_hz,
        spec,
        (spec.span - 1) / model.rate_hz if model.rate_hz else 0.0,
        None if size is None else (int(size[0]), int(size[1])),
        model.calibrated().to_dict(),
        model.map_scale,
        str(model.provenance.get("when", "")),
        loaded.batch,
    )


def best_batch(runtime: Runtime, spec: ClipSpec) -> int:
    """How many clips at once cost the least each, by trial on noise.

    A processor is fastest with one or two, an accelerator with as many as there are.
    """
    cost = {size: _cost_s(runtime, spec, size) / size for size in BATCHES}
    return min(cost, key=lambda size: cost[size])


def _cost_s(runtime: Runtime, spec: ClipSpec, size: int) -> float:
    frame = np.random.default_rng(0).integers(0, 256, (spec.channels, *spec.size), np.uint8)
    batch = runtime.batch([(frame,) * spec.length] * size)
    spent: list[float] = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        runtime.examine(batch)
        spent.append(time.perf_counter() - began)
    return min(spent)


def serve(link: Connection, scorer: Scorer) -> None:
    """Answer until `Quit`, until the other end is gone, or until it fails, with the reason."""
    try:
        while True:
            order = link.recv()
            if isinstance(order, Quit):
                return
            for answer in scorer.answer(order):
                link.send(answer)
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        pass
    except DeviceError as error:  # a process whose accelerator failed has to end to get it back
        _say_end(link, error)
    except Exception as error:
        _say_end(link, error)
        raise
    finally:
        scorer.close()


def _say_end(link: Connection, error: Exception) -> None:
    said = " ".join(str(error).split()) or type(error).__name__
    said = ADVICE.sub("", said)
    with suppress(OSError):
        link.send(ScorerEnds(said, isinstance(error, DeviceError)))
