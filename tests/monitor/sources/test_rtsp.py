"""A real RTSP server: GStreamer's, run by the system's own Python, which has its bindings."""

import socket
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import SourceError
from monitor.sources import open_source

PYTHON = "/usr/bin/python3"
NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0')"
SERVER = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=10/1"
    " ! x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 )"
)
server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""


def has_server() -> bool:
    if not Path(PYTHON).exists():
        return False
    return subprocess.run([PYTHON, "-c", NEEDED], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not has_server(), reason="needs GStreamer's RTSP server")


@pytest.fixture
def camera() -> Iterator[tuple[subprocess.Popen[str], str]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen([PYTHON, "-c", SERVER, str(port)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    yield server, f"rtsp://127.0.0.1:{port}/camera"
    server.kill()
    server.wait()


def test_a_camera_is_read_by_its_own_clock_until_it_dies(
    camera: tuple[subprocess.Popen[str], str],
) -> None:
    server, url = camera
    with open_source(url) as source:
        assert (source.live, source.n_frames, source.size) == (True, None, (240, 320))
        frames = source.frames()
        seen = list(islice(frames, 15))
        assert [frame.index for frame in seen] == list(range(15))
        times_s = np.array([frame.time_s for frame in seen])
        assert 0 <= times_s[0] <= times_s[1] < 10
        assert np.diff(times_s[1:]) == pytest.approx(0.1, abs=0.02)
        server.kill()
        with pytest.raises(SourceError, match=r"stopped after \d+ frames"):
            list(frames)


def test_a_path_that_is_not_there_is_one_line(camera: tuple[subprocess.Popen[str], str]) -> None:
    _, url = camera
    with pytest.raises(SourceError, match=r"expected a stream within .* got: "):
        open_source(url.replace("/camera", "/door"))
