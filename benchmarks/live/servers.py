"""Real servers to test cameras against: GStreamer's RTSP server and an HTTP MJPEG server.

Each can be started again on the same port after `stop`, and held still with `freeze` (SIGSTOP: it
accepts connections and says nothing, as a hung camera does). The RTSP server runs under the
system's own Python, which has GStreamer's bindings (Debian: apt install gstreamer1.0-rtsp
python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad).
"""

import base64
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

PYTHON = "/usr/bin/python3"
NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0')"
START_S = 20.0

# One appsrc per mount, shared by all its clients, fed with the access units of a file from a clock:
# the loop is seamless, because the file begins with a keyframe and times go on.
RTSP = """
import json, sys, time, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
told = json.loads(sys.stdin.readline())
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(str(told["port"]))
if told["user"]:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    basic = GstRtspServer.RTSPAuth.make_basic(told["user"], told["password"])
    auth.add_basic(basic, token)
    server.set_auth(auth)


def units_of(path):
    data = open(path, "rb").read()
    sizes = json.load(open(path + ".json"))
    units, place = [], 0
    for size in sizes:
        units.append(data[place:place + size])
        place += size
    return units


class Mount:
    def __init__(self, units, fps):
        self.units, self.fps = units, fps

    def configure(self, factory, media):
        source = media.get_element().get_by_name_recurse_up("source")
        state = {"count": 0, "over": False}

        def push():
            if state["over"]:
                return False
            step = Gst.SECOND // self.fps
            buffer = Gst.Buffer.new_wrapped(self.units[state["count"] % len(self.units)])
            buffer.pts = buffer.dts = state["count"] * step
            buffer.duration = step
            state["count"] += 1
            ended = source.emit("push-buffer", buffer) != Gst.FlowReturn.OK
            return not ended

        def keep_up():
            due = (time.monotonic() - state["began_s"]) * self.fps
            while state["count"] <= due:
                if not push():
                    return False
            return True

        def prepared(_media):
            state["began_s"] = time.monotonic() - state["count"] / self.fps
            GLib.timeout_add(max(1, 500 // self.fps), keep_up)

        media.connect("prepared", prepared)
        media.connect("unprepared", lambda _media: state.update(over=True))
        push()


mounts = []
for path, spec in told["mounts"].items():
    factory = GstRtspServer.RTSPMediaFactory()
    parse, pay = {"h264": ("h264parse", "rtph264pay"), "h265": ("h265parse", "rtph265pay")}[
        spec["codec"]
    ]
    factory.set_launch(
        "( appsrc name=source is-live=true format=time do-timestamp=false max-bytes=4000000"
        f" caps=video/x-{spec['codec']},stream-format=byte-stream,alignment=au"
        f",framerate={spec['fps']}/1 ! {parse} config-interval=-1"
        f" ! {pay} name=pay0 pt=96 config-interval=-1 )"
    )
    factory.set_shared(True)
    if told["user"]:
        permissions = GstRtspServer.RTSPPermissions()
        for kind in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role("viewer", kind, True)
        factory.set_permissions(permissions)
    mount = Mount(units_of(spec["file"]), spec["fps"])
    factory.connect("media-configure", mount.configure)
    mounts.append(mount)
    server.get_mount_points().add_factory(path, factory)
if not server.attach(None):
    sys.exit("the port is taken")
print("ready", flush=True)
GLib.MainLoop().run()
"""


def has_rtsp_server() -> bool:
    """Whether GStreamer's RTSP server and its bindings are installed."""
    if not Path(PYTHON).exists():
        return False
    return subprocess.run([PYTHON, "-c", NEEDED], capture_output=True, check=False).returncode == 0


def free_port() -> int:
    """A TCP port that nobody listens on just now, and that no outgoing connection is given."""
    for port in random.sample(range(20_000, 32_000), 100):  # under Linux's ephemeral ports
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise RuntimeError("of a hundred ports none is free")


def moving_square(index: int, size: tuple[int, int] = (360, 640)) -> NDArray[np.uint8]:
    """Frame `index` of a textured scene with a square that crosses it in 100 frames; (H, W, 3)."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([(rows * 3 + columns * channel) % 120 + 60 for channel in (1, 2, 3)], axis=2)
    side = height // 5
    left = index * width // 100 % (width - side)
    image[height // 2 : height // 2 + side, left : left + side] = (230, 40, 40)
    return image.astype(np.uint8)


@dataclass(frozen=True)
class Looped:
    """An elementary stream that is served in a loop; its access units' sizes lie beside it."""

    file: Path
    fps: int = 10
    codec: str = "h264"


def encode_loop(
    path: Path,
    *,
    size: tuple[int, int] = (360, 640),
    fps: int = 10,
    frames: int = 100,
    picture: Callable[[int, tuple[int, int]], NDArray[np.uint8]] = moving_square,
    codec: str = "h264",
) -> Looped:
    """Encode pictures once, to be served often; a keyframe every two seconds, no B-frames."""
    container = av.open(os.devnull, "w", "null")
    stream = container.add_stream({"h264": "libx264", "h265": "libx265"}[codec], rate=fps)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = size
    stream.pix_fmt = "yuv420p"
    stream.options = {"preset": "veryfast", "tune": "zerolatency", "g": str(2 * fps)}
    stream.codec_context.thread_count = 1  # one slice per picture: the payloader splits others
    if codec == "h265":
        stream.options = {
            "preset": "ultrafast",
            "x265-params": f"keyint={2 * fps}:bframes=0:log-level=none",
        }
    units = []
    for index in range(frames):
        frame = VideoFrame.from_ndarray(picture(index, size), format="rgb24")
        frame.pts = index
        units += [bytes(packet) for packet in stream.encode(frame)]
    units += [bytes(packet) for packet in stream.encode(None)]
    container.close()
    path.write_bytes(b"".join(units))
    Path(f"{path}.json").write_text(json.dumps([len(unit) for unit in units]))
    return Looped(path, fps, codec)


@dataclass
class Server:
    """A server in a process of its own; a context manager that starts and kills it."""

    port: int = field(default_factory=free_port)
    user: str = ""
    password: str = ""
    _process: subprocess.Popen[str] | None = field(default=None, init=False)

    def command(self) -> Sequence[str]:
        """What to run; it reads one JSON line and prints `ready`."""
        raise NotImplementedError

    def told(self) -> dict[str, object]:
        """The JSON line."""
        return {"port": self.port, "user": self.user, "password": self.password}

    def start(self) -> Self:
        """Returns when it listens."""
        self.stop()
        self._process = subprocess.Popen(
            self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(self.told()) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if said != "ready\n":
            raise RuntimeError(f"the server did not start: {said!r}")
        return self

    def stop(self) -> None:
        """SIGKILL: connections are reset, the port is refused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()
            self._process = None

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    def freeze(self) -> None:
        """SIGSTOP: connected, and silent."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on, catching up on what timers it missed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def _login(self) -> str:
        return f"{self.user}:{self.password}@" if self.user else ""


@dataclass
class RtspServer(Server):
    """GStreamer's, serving each looped stream at its path, all clients of one from one clock."""

    mounts: dict[str, Looped] = field(default_factory=dict)

    def command(self) -> Sequence[str]:
        """The system's Python."""
        return [PYTHON, "-c", RTSP]

    def told(self) -> dict[str, object]:
        """With every mount."""
        mounts = {
            path: {"file": str(loop.file), "fps": loop.fps, "codec": loop.codec}
            for path, loop in self.mounts.items()
        }
        return {**super().told(), "mounts": mounts}

    def url(self, path: str) -> str:
        """With user and password, where there are any."""
        return f"rtsp://{self._login}127.0.0.1:{self.port}{path}"


@dataclass
class MjpegServer(Server):
    """HTTP multipart JPEG at /camera; /page is HTML, /still one JPEG, the rest 404."""

    fps: float = 10.0
    size: tuple[int, int] = (360, 640)

    def command(self) -> Sequence[str]:
        """This very file."""
        return [sys.executable, "-P", __file__]

    def told(self) -> dict[str, object]:
        """With rate and size."""
        return {**super().told(), "fps": self.fps, "size": self.size}

    def url(self, path: str = "/camera") -> str:
        """With user and password, where there are any."""
        return f"http://{self._login}127.0.0.1:{self.port}{path}"


def serve_mjpeg(told: dict[str, object]) -> None:  # noqa: C901  a handler class within
    """Serve until killed: pictures of a moving square, encoded once."""
    height, width = (int(side) for side in str(told["size"]).strip("[]").split(","))
    stills = []
    for index in range(100):
        bgr = np.ascontiguousarray(moving_square(index, (height, width))[..., ::-1])
        stills.append(cv2.imencode(".jpg", bgr)[1].tobytes())
    login = base64.b64encode(f"{told['user']}:{told['password']}".encode()).decode()
    wanted = f"Basic {login}" if told["user"] else None
    period_s = 1 / float(str(told["fps"]))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if wanted and self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
            elif self.path == "/camera":
                self._stream()
            elif self.path == "/page":
                self._answer("text/html", b"<html><body><h1>Camera</h1>Log in</body></html>" * 20)
            elif self.path == "/still":
                self._answer("image/jpeg", stills[0])
            else:
                self.send_error(404)

        def _answer(self, kind: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            began_s = time.monotonic()
            for index in range(10**9):
                time.sleep(max(0.0, began_s + index * period_s - time.monotonic()))
                still = stills[index % len(stills)]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(still)}\r\n"
                try:
                    self.wfile.write(head.encode() + b"\r\n" + still + b"\r\n")
                except OSError:
                    return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", int(str(told["port"]))), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve_mjpeg(json.loads(sys.stdin.readline()))
