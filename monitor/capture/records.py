"""What passes between a capture worker and the engine. Imports neither torch nor OpenCV."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.spec import ClipSpec

Shape = tuple[int, int, int]  # channels, height, width
NO_PLANES: Shape = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How one camera is read. `url` may hold a password: never shown, never logged."""

    name: str
    url: str
    analysis_url: str = ""
    transport: Literal["tcp", "udp"] = "tcp"
    backend: Literal["auto", "pyav", "opencv"] = "auto"
    hardware: str = ""
    loop: bool = False
    pace: Literal["own", "fast"] = "own"
    width: int = 640  # of the analysed picture, at most
    fps: float = 0.0  # analysed frames per second at most; 0: all
    slots: int = 4  # of the ring
    ring_s: float = 30.0  # encoded packets kept for the pre-roll
    ring_bytes: int = 64 * 2**20
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    privacy: tuple[tuple[tuple[float, float], ...], ...] = ()  # polygons, shares of the picture


@dataclass(frozen=True, slots=True)
class PictureStats:
    """Measured by the worker on a gray picture 96 px high, so that the engine need not."""

    mean: float  # gray levels, 0 to 255
    std: float
    sharpness: float  # variance of the Laplacian
    motion: float  # share of 2x2 places that changed by over 12 levels since the last, 0 to 1
    change: float  # mean absolute difference to the last frame, gray levels; 0 exactly: the same
    saturation: float  # 98th percentile of max - min over channels; near 0: infrared, gray camera
    edges: float  # share of the edges of the reference picture still there, 0 to 1 (moved: low)


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """One analysed frame, copied out of the ring."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    sequence: int  # counts frames written to the ring, from 1
    index: int  # counts decoded frames of this epoch, from 0
    epoch: int  # bumps at each connection
    time_s: float  # presentation time since the epoch's first frame
    received_s: float  # time.monotonic() of the machine when it was decoded
    stats: PictureStats
    planes: NDArray[np.uint8] | None = None  # (C, H, W), as its detector takes it; see `Tune`


Fault = Literal[
    "refused",  # nobody listens, no route, unknown host
    "login",  # refused user or password, 401 or 403
    "missing",  # 404, no such file or device
    "format",  # answers, but with no video (HTML, audio only)
    "timeout",
    "ended",  # a live source ended
    "broken",  # everything else
]


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection stands and its first frame has come."""

    epoch: int
    size: tuple[int, int]  # height, width of the source
    analysed: tuple[int, int]
    rate_hz: float | None  # as announced
    codec: str
    decoder: str  # "software", or the device
    live: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection failed or ended; the worker waits for `connect` or `stop`."""

    fault: Fault
    text: str  # one line without secrets


@dataclass(frozen=True, slots=True)
class Finished:
    """A file came to its end, and is not looped."""

    frames: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Once a second, or after a read that took longer: what was read since the last one."""

    frames: int
    dropped: dict[str, int] = field(default_factory=dict)  # rate, corrupt
    packets: int = 0
    bytes: int = 0
    rss_bytes: int = 0
    cpu_s: float = 0.0
    span_s: float = 1.0  # that was counted over


@dataclass(frozen=True, slots=True)
class ClipWritten:
    """The clip that was asked for lies there, whole."""

    alert_id: str
    path: Path
    seconds: float  # from its first frame to its last


@dataclass(frozen=True, slots=True)
class ClipFailed:
    """There is no clip."""

    alert_id: str
    text: str  # one line


Notice = Connected | Disconnected | Finished | Counted | ClipWritten | ClipFailed


# commands to a worker


@dataclass(frozen=True, slots=True)
class Connect:
    """Try once to connect, as this epoch."""

    epoch: int


@dataclass(frozen=True, slots=True)
class StartClip:
    """Keep packets for a clip from the keyframe before `from_s` on (time.monotonic())."""

    alert_id: str
    path: Path
    from_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class EndClip:
    """The clip ends at `until_s` (time.monotonic()), which may lie ahead."""

    alert_id: str
    until_s: float


@dataclass(frozen=True, slots=True)
class Tune:
    """How frames are analysed from now on."""

    keyframes_only: bool = False  # decode no others, for overload
    fps: float = 0.0  # frames per second; 0: as was set
    takes: ClipSpec | None = None  # what its detector does: made once, of what was decoded


@dataclass(frozen=True, slots=True)
class Stop:
    """Hang up and end."""


Command = Connect | StartClip | EndClip | Tune | Stop
