"""A detector that finds light odd, films of a dim room, and a model calibrated on one of them."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import av
import numpy as np
import torch
from av.video.stream import VideoStream
from torch import Tensor

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from monitor.alert_rule import AlertRule
from monitor.calibration import Recording, calibrate
from monitor.model import Model
from monitor.pipeline import readings_of
from monitor.records import Frame, Image
from monitor.sources.source import Source

RATE_HZ = 10
FLASH = (8.0, 11.0)  # seconds


@dataclass(frozen=True)
class NoConfig:
    pass


class Light(Detector):
    """Score: mean brightness. Parts: what of it comes from above and from below."""

    name = "light"
    kind = "video"
    paper = "none"
    Config = NoConfig
    presets = {}  # noqa: RUF012

    def __init__(self, config: NoConfig | None = None) -> None:
        super().__init__(config or NoConfig())
        self.fitted = True
        self.register_buffer("nothing", torch.zeros(1))

    @property
    def spec(self) -> ClipSpec:
        return ClipSpec(length=2, size=(24, 32))

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        return self

    def examine(self, clips: Tensor) -> Findings:
        maps = clips[:, -1].mean(dim=1)
        above, below = maps[:, :12].mean(dim=(1, 2)), maps[:, 12:].mean(dim=(1, 2))
        parts = {"part/above": above, "part/below": below, "psnr": 100 * above}
        return Findings(maps.mean(dim=(1, 2)), maps, parts)


def picture(index: int, *, flash: tuple[float, float] = (0.0, 0.0)) -> Image:
    """A dim room, never quite the same; in a flash its upper left is bright."""
    image = np.random.default_rng(index).integers(40, 60, (48, 64, 3), np.uint8)
    image += np.uint8(10 + round(5 * np.sin(index / 7)))
    if flash[0] <= index / RATE_HZ < flash[1]:
        image[:24, :40] = 250
    return image


def film(path: Path, seconds: float, *, flash: tuple[float, float] = (0.0, 0.0)) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE_HZ, options={"qmin": "1", "qmax": "2"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(round(seconds * RATE_HZ)):
            frame = av.VideoFrame.from_ndarray(picture(index, flash=flash), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class Scripted(Source):
    """A camera that plays pictures, and breaks off where it is told to."""

    def __init__(self, seconds: float, *, breaks: str = "", live: bool = True) -> None:
        super().__init__("camera", live=live, strict=False)
        self._seconds, self._breaks = seconds, breaks

    rate_hz = float(RATE_HZ)
    size = (48, 64)
    n_frames = None

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        from monitor.errors import SourceError

        for index in range(round(self._seconds * RATE_HZ)):
            yield Frame(picture(index, flash=FLASH), index, index / RATE_HZ)
        if self._breaks:
            raise SourceError(self._breaks)


def light_model() -> Model:
    """Calibrated on 40 s of the dim room, for an alert an hour.

    A level brighter than it is: what a codec rounds is no alert, be it a film or not.
    """
    model = Model(Light().eval(), provenance={"rate_hz": float(RATE_HZ), "source_size": [48, 64]})
    frames = (Frame(picture(i + 10_000) + np.uint8(1), i, i / RATE_HZ) for i in range(400))
    readings = list(readings_of(frames, model))
    recording = Recording([r.score for r in readings], [r.frame.time_s for r in readings])
    return replace(model, calibration=calibrate([recording], AlertRule(), false_alarms_per_day=24))
