"""Single pictures of a camera, taken when something asks for one, and judged.

The camera is read all the time in a thread of its own, so that a picture is of the moment it was
asked for and not what lay in a buffer since the last one.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from monitor.errors import MonitorError, SourceError, StoreError
from monitor.files import write_atomically
from monitor.records import Frame, Image
from monitor.sources import Source, open_source
from monitor.stills.cases import Cases
from monitor.stills.following import Followed
from monitor.stills.judging import Judged, judged
from monitor.stills.still import Still
from monitor.watching import Trouble

WAIT_S = 10.0  # for a picture; as long as a stream may take to answer
LOOK_EVERY_S = 0.1  # for a trigger file

Moments = Iterator[None]  # an item whenever a picture is wanted; ends when no more will be


class Camera:
    """The newest picture of a live source; one that has ended is opened again when asked.

    So a camera that is gone for a while comes back, and an address that gives a single picture
    (http://camera/snapshot.jpg) is asked each time.
    """

    def __init__(self, connect: Callable[[], Source]) -> None:
        """`connect` opens the source, and raises SourceError if it does not answer."""
        self._connect = connect
        self._news = threading.Condition()
        self._newest: tuple[float, Frame] | None = None  # when it came, on the monotonic clock
        self._closing = False
        self._error = ""
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closing = True
        if self._reader is not None:
            self._reader.join(WAIT_S)

    def take(self, wait_s: float = WAIT_S) -> Image:
        """A picture that came after this call.

        Raises:
            SourceError: None came in time, or the camera cannot be opened.
        """
        asked_s = time.monotonic()
        if self._reader is None or not self._reader.is_alive():
            self._start()
        with self._news:
            came = self._news.wait_for(
                lambda: self._is_newer(asked_s) or self._error, timeout=wait_s
            )
            if self._newest is not None and self._is_newer(asked_s):
                return self._newest[1].image
        if came:
            raise SourceError(self._error)
        raise SourceError(f"{self.name}: no picture came within {wait_s:g} s")

    def _is_newer(self, than_s: float) -> bool:
        return self._newest is not None and self._newest[0] >= than_s

    def _start(self) -> None:
        source = self._connect()
        self.name, self._error = source.name, ""
        self._reader = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._reader.start()

    def _read(self, source: Source) -> None:
        error = f"{source.name}: it ended"
        try:
            with source, closing(source.frames()) as frames:
                for frame in frames:
                    if self._closing:
                        return
                    with self._news:
                        self._newest = time.monotonic(), frame
                        self._news.notify_all()
        except SourceError as problem:
            error = str(problem)
        with self._news:
            self._error = error
            self._news.notify_all()


def open_camera(address: str) -> Source:
    """A live source.

    Raises:
        SourceError: It does not answer, or is a file.
    """
    source = open_source(address)
    if not source.live and "://" not in address:
        source.close()
        raise SourceError(
            f"{address}: expected a camera (an address or a number), found a file or folder; "
            "judge pictures by naming them, or with --follow"
        )
    return source


def every(interval_s: float, stop: threading.Event) -> Moments:
    """At once, then at even intervals; what judging was too slow for is left out."""
    due_s = time.monotonic()
    while not stop.wait(max(0.0, due_s - time.monotonic())):
        yield
        late_s = max(0.0, time.monotonic() - due_s)
        due_s += interval_s * (1 + late_s // interval_s)


def on_lines(descriptor: int, stop: threading.Event) -> Moments:
    """At every line of a file descriptor, so at every Enter of a terminal; ends with it.

    Read below Python's own buffers: a thread that waits in those cannot be left at the end.
    """
    lines: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        with suppress(OSError):
            while said := os.read(descriptor, 1024):
                for _ in range(said.count(b"\n")):
                    lines.put("line")
        lines.put("")

    threading.Thread(target=listen, daemon=True).start()
    while not stop.is_set():
        with suppress(queue.Empty):
            if not lines.get(timeout=LOOK_EVERY_S):
                return
            yield


def on_file(path: Path, stop: threading.Event) -> Moments:
    """Whenever there is such a file; it is removed first, so that the next can be laid there.

    Raises:
        StoreError: It is there and cannot be removed.
    """
    while not stop.is_set():
        try:
            path.unlink()
        except FileNotFoundError:
            stop.wait(LOOK_EVERY_S)
            continue
        except OSError as error:
            raise StoreError(f"{path}: the trigger cannot be removed: {error.strerror}") from error
        yield


def snap(camera: Camera, moments: Moments, cases: Cases) -> Iterator[Followed | Trouble]:
    """A verdict at each of the moments; of defective pictures the plain one is kept as well."""
    for _ in moments:
        name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%f}"[:-3] + "Z.png"
        still = Still(name, "", None, camera.take)
        try:
            image = camera.take()
        except MonitorError as error:
            yield Followed(Judged(still, None, why=str(error)), cases.folder / name)
            continue
        cases.look(image)
        still = Still(name, "", None, partial(_same, image))
        yield _snapped(next(judged([still], cases.model, batch=1)), image, cases)
        yield from cases.drain()


def _snapped(one: Judged, image: Image, cases: Cases) -> Followed:
    """Kept where it is defective; forgotten where it is not: a camera would fill any disk."""
    place = cases.folder / one.still.name
    if one.verdict != "defective":
        return Followed(one, place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, _as_png(image))
        cases.works("plain")
    except OSError as error:
        cases.fail("plain", f"{place.parent}: no picture can be kept: {error.strerror or error}")
    cases.offer_again()
    case = cases.enter(one, image, place)
    return Followed(one, place, case.seen.alert_id, case.heat)


def _as_png(image: Image) -> bytes:
    return cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()


def _same(image: Image) -> Image:
    return image
