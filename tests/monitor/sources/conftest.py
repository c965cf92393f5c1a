"""Films written on the spot: the upper half of frame n is of level 20 + 4 n, so it tells n."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

Film = Callable[..., Path]
B_FRAMES = {"g": "12", "bf": "3", "b-adapt": "0", "sc_threshold": "0", "crf": "10"}
OPTIONS = {  # good enough to tell one level from the next
    "mpeg4": {"g": "12", "bf": "2", "qmin": "1", "qmax": "1", "b": "9000000"},
    "mjpeg": {"qmin": "1", "qmax": "2", "b": "90000000"},
}


def gray(index: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Below is noise, so that a film has some bytes to lose."""
    image = np.random.default_rng(index).integers(0, 255, (height, width, 3), np.uint8)
    image[: height * 2 // 3] = min(20 + 4 * index, 255)
    return image


def number(image: NDArray[np.uint8]) -> int:
    """The frame number that a picture was painted with."""
    level = float(np.median(image[: len(image) // 2]))
    return round((level - 19) / 4)  # JPEG comes out up to 2 levels darker


def write_film(
    path: Path,
    n_frames: int = 40,
    *,
    codec: str = "libx264",
    rate: Fraction | int = 25,
    times_ms: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    rotation: int = 0,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=rate, options=options or OPTIONS.get(codec, B_FRAMES)
        )
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        if times_ms:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(n_frames):
            frame = av.VideoFrame.from_ndarray(gray(index), format="rgb24")
            if times_ms:
                frame.pts, frame.time_base = times_ms[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def film(tmp_path: Path) -> Film:
    def write(name: str = "film.mp4", n_frames: int = 40, **how: object) -> Path:
        return write_film(tmp_path / name, n_frames, **how)  # type: ignore[arg-type]

    return write


@pytest.fixture
def read_number() -> Callable[[NDArray[np.uint8]], int]:
    return number
