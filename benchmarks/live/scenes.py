"""What the test cameras show, who listens to the engine, and what spoils a connection."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.live.servers import Looped, encode_loop, free_port

FPS = 10
QUIET_S = 25  # of a loop with an event
EVENT_S = 5
CROSSING = 100  # pictures; divides every loop, so that nothing leaps where one begins again
AHEAD = 70  # the square is wholly in the picture while it is red


def quiet(index: int, size: tuple[int, int] = (360, 640)) -> NDArray[np.uint8]:
    """A textured scene that a gray square crosses in ten seconds, from outside to outside."""
    return _scene(index, size, (150, 150, 150))


def eventful(index: int, size: tuple[int, int] = (360, 640)) -> NDArray[np.uint8]:
    """The same, its square red for the last five of thirty seconds."""
    red = index % (FPS * (QUIET_S + EVENT_S)) >= FPS * QUIET_S
    return _scene(index, size, (230, 30, 30) if red else (150, 150, 150))


def _scene(index: int, size: tuple[int, int], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    height, width = size
    image = _texture(size).copy()
    side = height // 4
    left = (index + AHEAD) % CROSSING * (width + side) // CROSSING - side
    top = height // 2 + int(20 * np.sin(2 * np.pi * index / (CROSSING // 2)))
    image[top : top + side, max(left, 0) : max(left + side, 0)] = colour
    image += np.random.default_rng(index).integers(-6, 7, image.shape, np.int8)
    return image.clip(0, 255).astype(np.uint8)


@cache
def _texture(size: tuple[int, int]) -> NDArray[np.int16]:
    rows, columns = np.mgrid[: size[0], : size[1]]
    channels = [(rows * 3 + columns * channel) % 120 + 60 for channel in (1, 2, 3)]
    return np.stack(channels, axis=2).astype(np.int16)


def beginnings(url: str, ended: threading.Event) -> Iterator[float]:
    """Wall clock at which red appears in the stream."""
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=10) as container:
        seen = False
        for frame in container.decode(video=0):
            if ended.is_set():
                return
            pixels = frame.to_ndarray(format="rgb24")[::8, ::8].astype(np.int16)
            red = ((pixels[..., 0] > 180) & (pixels[..., 1] < 90)).mean() > 0.005
            if red and not seen:
                yield time.time()
            seen = bool(red)


def loops(folder: Path) -> dict[str, Looped]:
    """The streams: `quiet`, `eventful`, `small` of another size, `h265` of another codec."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = FPS * (QUIET_S + EVENT_S)
    return {
        "quiet": encode_loop(folder / "quiet.h264", frames=200, picture=quiet),
        "eventful": encode_loop(folder / "eventful.h264", frames=frames, picture=eventful),
        "h265": encode_loop(folder / "quiet.h265", frames=200, picture=quiet, codec="h265"),
        "small": encode_loop(folder / "small.h264", frames=200, picture=quiet, size=(240, 320)),
    }


@dataclass
class Receiver:
    """A webhook's other end: counts what comes, and how often each."""

    port: int = field(default_factory=free_port)
    came: list[dict[str, object]] = field(default_factory=list)

    def __enter__(self) -> Self:
        came = self.came

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                came.append({**json.loads(body), "received": time.time()})
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def notice(self) -> dict[str, object]:
        """For the configuration."""
        return {"kind": "webhook", "url": f"http://127.0.0.1:{self.port}/"}

    def duplicates(self) -> int:
        """Notices of an event and revision that came more than once."""
        keys = Counter((item.get("id"), item.get("revision")) for item in self.came)
        return sum(count - 1 for count in keys.values())


class SpoilingProxy:
    """Passes TCP on and flips a byte now and then in what comes back, once `spoil` is set."""

    def __init__(self, target_port: int, every_bytes: int = 20_000) -> None:
        self.port = free_port()
        self.spoil = False
        self.swallow = False  # take what comes back and pass none of it on
        self._target = target_port
        self._every = every_bytes
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No new connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for pair in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, spoilt: bool) -> None:  # noqa: FBT001
        passed = 0
        try:
            while data := source.recv(65536):
                if (
                    spoilt
                    and self.spoil
                    and passed // self._every != (passed + len(data)) // self._every
                ):
                    data = _flipped(data)
                passed += len(data)
                if not (spoilt and self.swallow):
                    sink.sendall(data)
        except OSError:
            pass
        for side in (source, sink):
            side.close()


def _flipped(data: bytes) -> bytes:
    """One byte deep in the payload is another; RTSP's framing, at the beginning, is left alone."""
    if len(data) < 200:
        return data
    place = len(data) * 2 // 3
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
