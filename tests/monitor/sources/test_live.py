import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from monitor.errors import SourceError, SourceNotFoundError
from monitor.sources import device, is_device, open_source, opencv
from monitor.sources.stream import Stream, without_secrets

Film = Callable[..., Path]
Read = Callable[[NDArray[np.uint8]], int]


def serve(data: bytes, stop: threading.Event) -> str:
    """An address that sends `data` once and hangs up; without data it stays silent."""
    server = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with server, server.accept()[0] as connection:
            connection.sendall(data)
            if not data:
                stop.wait(10)

    threading.Thread(target=run, daemon=True).start()
    return f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_stream_that_stops_says_after_how_many_frames(
    film: Film, read_number: Read, stop: threading.Event
) -> None:
    url = serve(film("film.ts", 30).read_bytes(), stop)
    with open_source(url) as source:
        assert (source.live, source.n_frames, source.size) == (True, None, (48, 64))
        frames = source.frames()
        for expected in range(30):
            frame = next(frames)
            assert (frame.index, read_number(frame.image)) == (expected, expected)
            assert frame.time_s == pytest.approx(expected / 25, abs=1e-4)
        with pytest.raises(SourceError, match=r"stopped after 30 frames: the other side ended"):
            next(frames)


class LateClock(Stream):
    """As cameras that tell no time before their first sender report."""

    def _decode(self) -> Iterator[VideoFrame]:
        for number, picture in enumerate(super()._decode()):
            if number == 0:
                picture.pts = None
            yield picture


def test_a_first_frame_without_a_time_does_not_shift_the_others(
    film: Film, stop: threading.Event
) -> None:
    with LateClock(serve(film("film.ts", 10).read_bytes(), stop)) as source:
        times_s = [frame.time_s for frame in islice(source.frames(), 10)]
    assert times_s[0] == 0
    assert 0 < times_s[1] < 5
    assert np.diff(times_s[1:]) == pytest.approx(1 / 25, abs=1e-4)


def test_a_silent_address_times_out(stop: threading.Event) -> None:
    with pytest.raises(SourceError, match=r"expected a stream within 0.5 s, got: no answer"):
        Stream(serve(b"", stop), open_timeout_s=0.5, read_timeout_s=0.5)


def test_a_refused_connection_is_one_line_without_the_password() -> None:
    with pytest.raises(SourceError, match=r"^rtsp://127.0.0.1:9/cam: expected a stream") as caught:
        open_source("rtsp://admin:se@cr/et@127.0.0.1:9/cam?token=abc")
    assert "se@cr" not in str(caught.value)
    assert "token" not in str(caught.value)


def test_a_file_on_a_web_server_ends_quietly(film: Film) -> None:
    path = film(n_frames=10)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(path.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with open_source(f"http://127.0.0.1:{server.server_port}/{path.name}") as source:
            assert not source.live
            assert [frame.index for frame in source.frames(2, 5)] == [2, 3, 4]
            assert [frame.index for frame in source.frames()] == [5, 6, 7, 8, 9]
    finally:
        server.shutdown()
        server.server_close()


def test_unknown_schemes_are_named() -> None:
    with pytest.raises(SourceError, match="gopher:// is not known; known are http"):
        open_source("gopher://host/x")


def test_secrets_leave_the_name() -> None:
    assert without_secrets("rtsp://u:p@ss@host:554/a?x=1") == "rtsp://host:554/a"
    assert without_secrets("http://host/a") == "http://host/a"


class FakeCapture:
    def __init__(self, address: object) -> None:
        self.left = 3 if address == 0 else 0

    def isOpened(self) -> bool:  # noqa: N802
        return self.left > 0

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        self.left -= 1
        if self.left < 0:
            return False, None
        return True, np.full((4, 6, 3), (255, 0, 0), np.uint8)

    def get(self, _what: int) -> float:
        return 30.0

    def release(self) -> None:
        self.left = 0


@pytest.fixture
def fake_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = SimpleNamespace(logging=SimpleNamespace(setLogLevel=lambda _level: None))
    fake = SimpleNamespace(VideoCapture=FakeCapture, CAP_PROP_FPS=5, utils=quiet)
    monkeypatch.setattr(device, "load_cv2", lambda: fake)


@pytest.mark.usefixtures("fake_camera")
def test_a_camera_gives_rgb_and_says_when_it_stops() -> None:
    source = open_source("0")
    assert (source.live, source.size, source.rate_hz) == (True, (4, 6), 30.0)
    frames = source.frames()
    assert next(frames).image[0, 0].tolist() == [0, 0, 255]
    assert next(frames).index == 1
    with pytest.raises(SourceError, match="camera 0: stopped after 2 frames"):
        next(frames)


@pytest.mark.usefixtures("fake_camera")
def test_no_camera_there() -> None:
    with pytest.raises(SourceNotFoundError, match="camera /dev/video7: none answers there"):
        open_source("/dev/video7")


def test_opencv_adds_nothing_to_what_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceNotFoundError):
        open_source("/dev/video63")
    assert capfd.readouterr().err == ""


def test_what_is_a_device() -> None:
    assert [is_device(t) for t in ("0", "/dev/video1", "0.mp4", "clips")] == [
        True,
        True,
        False,
        False,
    ]


def test_opencv_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_name: str) -> None:
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr(opencv, "import_module", fail)
    with pytest.raises(SourceError, match=r"libGL.so.1.*apt install libgl1"):
        opencv.load_cv2()
