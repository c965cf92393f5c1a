"""What a frame of a live camera costs before anything is scored, on both sides of the ring.

    python -m benchmarks.intake [--cameras 24] [--detector frame_prediction]

Milliseconds of processor time a frame. In the capture process: what is measured of a picture, and
what the detector takes, made of the decoded frame. In the scoring process, which reads the rings of
--cameras by turns and cuts clips: with what the detector takes beside the picture, and where it
makes that itself, as it did always before and does of masked cameras. 640x360, one thread.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from benchmarks.live.scenes import quiet
from models.registry import build
from models.spec import ClipSpec
from monitor.capture.records import PictureStats
from monitor.capture.ring import Head, Ring, capacity_for
from monitor.capture.stats import PictureMeter
from monitor.clips import prepared
from monitor.live.window import CameraWindow
from monitor.records import Image
from monitor.sources.late import Converter, LateFrame

RATE_HZ = 10
SLOTS, WIDTH = 4, 640
NOTHING = PictureStats(*[0.0] * 7)
PAUSE_S = 0.02  # as the scoring process waits; what it does meanwhile empties the caches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, default=24)
    parser.add_argument("--detector", default="frame_prediction")
    parser.add_argument("--frames", type=int, default=60, help="of each camera")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    spec = build(asked.detector).spec
    images = [quiet(index) for index in range(asked.frames)]
    planes = np.zeros((spec.channels, *spec.size), np.uint8)
    print(f"{asked.detector}, {spec.size[1]}x{spec.size[0]}, CPU ms a frame")
    rows = {
        "capture: measured": measured(images),
        "capture: what the detector takes": taken(images, spec),
        "scoring: read, that beside": read(images, spec, asked.cameras, planes),
        "scoring: read, that made there": read(images, spec, asked.cameras, None),
    }
    for name, found_ms in rows.items():
        print(f"{name:36}{found_ms:8.2f}")


def measured(images: Sequence[Image]) -> float:
    meter = PictureMeter()
    return each([lambda i=i: meter.measure(images[i], i / RATE_HZ) for i in range(len(images))])  # type: ignore[misc]


def taken(images: Sequence[Image], spec: ClipSpec) -> float:
    converter = Converter()
    pictures = [
        VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p") for image in images
    ]
    frames = [LateFrame(picture, 0, 0.0, converter) for picture in pictures]
    return each([lambda frame=frame: prepared(frame, spec) for frame in frames])  # type: ignore[misc]


def each(ways: Sequence[Callable[[], object]]) -> float:
    """Milliseconds of one, a pause before it."""
    spent = 0.0
    for way in ways:
        time.sleep(PAUSE_S)
        began = time.process_time()
        way()
        spent += time.process_time() - began
    return 1e3 * spent / len(ways)


def read(
    images: Sequence[Image], spec: ClipSpec, cameras: int, planes: NDArray[np.uint8] | None
) -> float:
    with ExitStack() as stack:
        rings = [
            stack.enter_context(closing(Ring.create(SLOTS, capacity_for(WIDTH))))
            for _ in range(cameras)
        ]
        windows = [CameraWindow(ring, spec, RATE_HZ) for ring in rings]
        spent = 0.0
        for index, image in enumerate(images):
            now_s = time.monotonic()
            head = Head(0, index, 1, index / RATE_HZ, now_s, image.shape[:2], NOTHING)
            for ring in rings:
                ring.write(image, head, planes)
            spent += each([lambda: [window.read() for window in windows]])
        return spent / len(images) / cameras


if __name__ == "__main__":
    main()
