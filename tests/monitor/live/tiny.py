"""Model files and films for engines in tests: one that needs no training, one that is trained."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.stream import VideoStream

from models.detector import Budget
from models.registry import DETECTORS, build
from monitor.alert_rule import AlertRule
from monitor.calibration import Recording, calibrate
from monitor.datasets import open_data
from monitor.model import Model, save_model
from monitor.pipeline import readings_of, train_model
from monitor.records import Frame, Image
from tests.monitor.footage import TINY
from tests.monitor.watched import Light

SIZE = (96, 128)
RATE_HZ = 10
SIDE = 32  # of what is bright in a flash


def scene(index: int, *, flash: bool = False) -> Image:
    """A tiled floor, which is a picture to the judge of pictures, and something that crosses it."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    image = 70 + 60 * ((rows // 12 + columns // 16) % 2) + 4 * np.sin(index / 7)
    image = image + np.random.default_rng(index).integers(-4, 5, SIZE)
    left = index * 2 % (SIZE[1] - 10)
    image[60:70, left : left + 10] = 30
    if flash:
        across = index * 37 % (SIZE[1] - SIDE)  # nothing foresees where
        image[8 : 8 + SIDE, across : across + SIDE] = 250
    return np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def film(
    path: Path,
    seconds: float,
    *,
    flash: tuple[float, float] = (0.0, 0.0),
    width: int = SIZE[1],
) -> Path:
    """With a keyframe a second; `width` cuts the pictures into another shape."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = SIZE[0], width, "yuv420p"
        stream.options = {"preset": "ultrafast", "g": str(RATE_HZ), "bf": "0", "crf": "18"}
        for index in range(round(seconds * RATE_HZ)):
            image = scene(index, flash=flash[0] <= index / RATE_HZ < flash[1])[:, :width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def light_model() -> Model:
    """Calibrated on 40 s of the floor, for an alert an hour."""
    model = Model(Light().eval(), provenance={"rate_hz": float(RATE_HZ), "source_size": [*SIZE]})
    frames = (Frame(scene(i + 10_000), i, i / RATE_HZ) for i in range(400))
    readings = list(readings_of(frames, model))
    recording = Recording([r.score for r in readings], [r.frame.time_s for r in readings])
    return replace(model, calibration=calibrate([recording], AlertRule(), false_alarms_per_day=24))


def light_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A detector that finds light odd; only within this process."""
    monkeypatch.setitem(DETECTORS, "light", Light)
    save_model(light_model(), path)
    return path


def trained(path: Path) -> Path:
    """A model of the floor that any process can read, learned in seconds."""
    footage = film(path.with_name("normal.mp4"), 54)
    torch.manual_seed(0)
    detector = build("frame_prediction", **(TINY | {"size": (32, 48)}))
    train_model(detector, open_data(footage), budget=Budget(steps=30), path=path)
    return path
