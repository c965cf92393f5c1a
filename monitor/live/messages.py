"""What passes between the engine and the scoring process. Plain values; frames go by ring."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.records import MapScale


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Read a model file; cameras name it by its path."""

    path: str
    device: str = "auto"
    runtime: str = "auto"


@dataclass(frozen=True, slots=True)
class Attach:
    """Read this camera's ring, cut its clips for this model."""

    camera: str
    ring: str
    model: str  # path, loaded before
    include: tuple[tuple[tuple[float, float], ...], ...] = ()
    exclude: tuple[tuple[tuple[float, float], ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Detach:
    """Let go of this camera's ring."""

    camera: str


@dataclass(frozen=True, slots=True)
class Round:
    """Score the newest clip of these cameras, in this order."""

    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quit:
    """End."""


Order = LoadModel | Attach | Detach | Round | Quit


@dataclass(frozen=True, slots=True)
class ModelLoaded:
    """What the engine must know of a model."""

    path: str
    digest: str  # of the file, so that labels can be told to belong to it
    detector: str
    runtime: str
    rate_hz: float | None
    spec: ClipSpec  # what it takes
    span_s: float  # that a clip looks back
    source_size: tuple[int, int] | None  # height, width that it learned on
    calibration: dict[str, Any]  # see Calibration.from_dict
    map_scale: MapScale | None
    learned_at: str
    batch: int  # clips scored together, by measurement


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """Why there is none, in one line."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class LiveReading:
    """A scored clip of one camera."""

    camera: str
    epoch: int
    index: int
    time_s: float  # of the epoch's clock
    received_s: float  # time.monotonic() of the frame it speaks about
    newest_s: float  # time.monotonic() of the newest frame of its clip
    scored_s: float  # time.monotonic() when its score was there
    score: float
    p_value: float | None
    terms: dict[str, float]
    jpeg: bytes | None = None  # the frame, where the score is near the threshold
    map: NDArray[np.float16] | None = None  # beside it


@dataclass(frozen=True, slots=True)
class Scored:
    """The answer to a Round."""

    readings: tuple[LiveReading, ...]
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)  # camera -> cause -> frames
    seconds: float = 0.0  # of scoring
    batches: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ScorerFault:
    """Something went wrong with one camera or model; the rest goes on."""

    camera: str
    text: str


@dataclass(frozen=True, slots=True)
class ScorerEnds:
    """Why the scoring process ends by itself, in one line."""

    text: str
    device: bool  # what it computes on failed; on another it may go on


Answer = ModelLoaded | ModelFailed | Scored | ScorerFault | ScorerEnds
