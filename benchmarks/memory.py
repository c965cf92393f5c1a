"""Does memory stay under 3 GB, and level, however long the footage is?

    python -m benchmarks.memory [--minutes 6 20] [--detectors frame_prediction fusion]

For each length a video is drawn and encoded (moving shapes over a textured ground, 360x240 at
10 frames per second) and linked three times into a folder of videos. `oddwatch train --steps` and
`oddwatch score` run on it in processes of their own; what the system says of their peak is printed.
"""

import argparse
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

HEIGHT, WIDTH, RATE_HZ = 240, 360, 10
VIDEOS = 3
LIMIT_GB = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, nargs="+", default=[6.0, 20.0])
    parser.add_argument("--detectors", nargs="+", default=["frame_prediction", "fusion"])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--no-score", action="store_true", help="only train and calibrate")
    parser.add_argument("--model", help="score with this one; nothing is trained")
    options = parser.parse_args()
    print(f"{'detector':18}{'frames':>8}  {'command':8}{'peak GB':>8}{'seconds':>9}", flush=True)
    worst = 0.0
    for minutes in options.minutes:
        with TemporaryDirectory() as folder:
            frames = make_set(Path(folder) / "set", round(minutes * 60 * RATE_HZ))
            for detector in ["given"] if options.model else options.detectors:
                worst = max(worst, measure(detector, Path(folder), frames, options))
    verdict = "met" if worst < LIMIT_GB else "missed"
    print(f"highest {worst:.2f} GB ({verdict}: under {LIMIT_GB:g} asked)")


def make_set(root: Path, frames: int) -> int:
    """A folder of `VIDEOS` names for one video; returns the frames of all."""
    root.mkdir()
    first = root / "video0.mp4"
    write_video(first, frames)
    for number in range(1, VIDEOS):
        (root / f"video{number}.mp4").symlink_to(first)
    return VIDEOS * frames


def write_video(path: Path, frames: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.options = {"preset": "ultrafast", "g": "100"}
        ground = np.random.default_rng(0).integers(90, 130, (HEIGHT, WIDTH), np.uint8)
        for index in range(frames):
            picture = VideoFrame.from_ndarray(draw(ground, index), format="gray")
            picture.pts, picture.time_base = index, Fraction(1, RATE_HZ)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def draw(ground: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """Five boxes that walk at paces of their own, each on its lane."""
    image = ground.copy()
    for lane in range(5):
        left = (index * (2 + lane % 3) + 97 * lane) % (WIDTH - 20)
        top = 20 + 44 * lane + round(4 * np.sin(index / 7 + lane))
        image[top : top + 30, left : left + 14] = 40 + 45 * lane
    return image


def measure(detector: str, folder: Path, frames: int, options: argparse.Namespace) -> float:
    model, data = options.model or str(folder / f"{detector}.pt"), str(folder / "set")
    steps = ["--steps", str(options.steps)]
    commands = {"train": ["train", detector, data, *steps, "-o", model]}
    if options.model:
        commands.clear()
    if not options.no_score:
        commands["score"] = ["score", model, data, "-o", str(folder / detector)]
    highest = 0.0
    for name, words in commands.items():
        peak_gb, seconds = peak_of([sys.executable, "-m", "monitor", *words])
        print(f"{detector:18}{frames:8,}  {name:8}{peak_gb:8.2f}{seconds:9.0f}", flush=True)
        highest = max(highest, peak_gb)
    return highest


def peak_of(words: list[str]) -> tuple[float, float]:
    """Greatest resident memory of a command in GB, and its seconds."""
    began = time.perf_counter()
    with TemporaryFile() as errors:
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            raise SystemExit(f"{' '.join(words)}: {errors.read().decode()}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return usage.ru_maxrss * unit / 1e9, time.perf_counter() - began


if __name__ == "__main__":
    main()
