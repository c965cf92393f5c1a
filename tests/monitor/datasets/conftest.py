"""Small data sets on disk, in the layouts that circulate."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream

Stills = Callable[..., Path]
Film = Callable[..., Path]


@pytest.fixture
def stills() -> Stills:
    """Write n stills of level 0, 1, ... into a folder."""

    def write(folder: Path, n_frames: int = 20, *, suffix: str = ".png", first: int = 1) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(n_frames):
            image = np.full((16, 24), index, np.uint8)
            cv2.imwrite(str(folder / f"{index + first:03d}{suffix}"), image)
        return folder

    return write


@pytest.fixture
def film() -> Film:
    """Write a short film, 32 x 32."""

    def write(path: Path, n_frames: int = 20) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            assert isinstance(stream, VideoStream)
            stream.width = stream.height = 32
            stream.pix_fmt = "yuv420p"
            for index in range(n_frames):
                image = np.full((32, 32, 3), 10 * (index % 20), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return write
