"""Does scoring a file keep up with the slower of its two halves, decoding and the network?

    python -m benchmarks.throughput VIDEO [VIDEO ...] --model MODEL
    python -m benchmarks.throughput VIDEO --detector motion --steps 20

One process, the same threads, the three measurements in turn, repeated; medians. Without --model
one is trained on the video for a few steps: what it has learned is nothing, what it costs is right.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from models.detector import Budget
from monitor.clips import at_rate, cut_clips
from monitor.cpu import cores
from monitor.datasets import Video, open_data
from monitor.model import Model, load_model
from monitor.pipeline import new_detector, readings_of, train_model
from monitor.records import Frame
from monitor.runtimes import runtime_of
from monitor.scoring import BATCH, lanes_of

Planes = tuple[NDArray[np.uint8], ...]  # the frames of a clip, each (C, H, W)

ACCEPTED = 0.9  # of the slower half


@dataclass(frozen=True)
class Run:
    """One pass over the footage."""

    wall_s: float
    cpu_s: float  # of all threads of this process


class Clock:
    """Adds up what passes between `with` and its end."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter() - self._began[0]
        self.cpu_s += time.process_time() - self._began[1]

    @property
    def run(self) -> Run:
        """All of it."""
        return Run(self.wall_s, self.cpu_s)


def main() -> None:
    options = arguments()
    print(f"{torch.get_num_threads()} threads, {options.repeats} repeats, medians")
    for video in options.videos:
        with TemporaryDirectory() as folder:
            path = options.model or trained(video, options, Path(folder) / "model.pt")
            measure(video, path, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    parser.add_argument("--model", type=Path, help="of oddwatch train; else one is trained")
    parser.add_argument("--detector", default="frame_prediction")
    parser.add_argument("--preset", default="lite")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--frames", type=int, help="of the footage, at most; else all")
    parser.add_argument("--maps", action="store_true", help="keep maps, as sets with masks need")
    return parser.parse_args()


def trained(path: Path, options: argparse.Namespace, out: Path) -> Path:
    data = open_data(path)
    detector = new_detector(options.detector, options.preset, {}, data, seed=0)
    budget = Budget(steps=options.steps)
    train_model(detector, data, budget=budget, preset=options.preset, path=out)
    return out


def measure(path: Path, model_path: Path, options: argparse.Namespace) -> None:
    """Decoding, network and both, in turn; each time with a model fresh from its file.

    `motion` remembers flows, so a model that has seen the video would be faster than it is.
    """
    data = open_data(path)
    videos = data.test or data.train
    model = load_model(model_path, "cpu")
    clips = [list(clips_of(video, model, options.frames)) for video in videos]
    frames = sum(sum(1 for _ in frames_of(video, options.frames)) for video in videos)
    passes: dict[str, Callable[[], Run]] = {
        "decode": lambda: decode(videos, options.frames),
        "network": lambda: network(clips, load_model(model_path, "cpu")),
        "side by side": lambda: side_by_side(clips, load_model(model_path, "cpu")),
        "end to end": lambda: both(videos, load_model(model_path, "cpu"), options),
    }
    runs: dict[str, list[Run]] = {name: [] for name in passes}
    for _ in range(options.repeats):
        for name, measured in passes.items():
            runs[name].append(measured())
    count = sum(map(len, clips))
    print(f"\n{path.name}, {model.detector.name}: {frames} frames, {count} clips")
    report({name: middle(found) for name, found in runs.items()}, frames)


def frames_of(video: Video, most: int | None) -> Iterator[Frame]:
    return islice(video.frames(), most)


def clips_of(video: Video, model: Model, most: int | None) -> Iterator[Planes]:
    """The clips at the detector's size; their pictures at full size are not kept."""
    taken = at_rate(frames_of(video, most), model.rate_hz)
    for clip in cut_clips(taken, model.detector.spec, model.rate_hz):
        yield clip.frames


def decode(videos: Iterable[Video], most: int | None) -> Run:
    """Nothing is converted: the frames' pictures are made when somebody looks at them."""
    clock = Clock()
    with clock:
        for video in videos:
            for _ in frames_of(video, most):
                pass
    return clock.run


def network(clips: Iterable[list[Planes]], model: Model) -> Run:
    """Only `examine`: batches are made from bytes in memory while the clock stands."""
    clock, runtime = Clock(), runtime_of(model.detector)
    for of_video in clips:
        for group in batched(of_video):
            batch = runtime.batch(group)
            with clock:
                runtime.examine(batch)
    return clock.run


def side_by_side(clips: Iterable[list[Planes]], model: Model) -> Run:
    """The network again, as many batches at a time as `score` examines."""
    groups = [group for of_video in clips for group in batched(of_video)]
    lanes = lanes_of(model.detector)
    runtime = runtime_of(model.detector, lanes)
    batches = [runtime.batch(group) for group in groups]
    threads = torch.get_num_threads()
    clock = Clock()
    with (
        ThreadPoolExecutor(
            lanes, initializer=partial(torch.set_num_threads, threads // lanes)
        ) as pool,
        clock,
    ):
        for _ in pool.map(runtime.examine, batches):
            pass
    return clock.run


def batched(clips: Iterable[Planes]) -> Iterator[list[Planes]]:
    stream = iter(clips)
    while group := list(islice(stream, BATCH)):
        yield group


def both(videos: Iterable[Video], model: Model, options: argparse.Namespace) -> Run:
    runtime_of(model.detector, lanes_of(model.detector))  # compiled before the clock starts
    clock = Clock()
    with clock:
        for video in videos:
            for _ in readings_of(frames_of(video, options.frames), model, maps=options.maps):
                pass
    return clock.run


def middle(runs: list[Run]) -> Run:
    return Run(median(run.wall_s for run in runs), median(run.cpu_s for run in runs))


def report(found: dict[str, Run], frames: int) -> None:
    print(f"{'':12}{'frames/s':>10}{'seconds':>10}{'CPU s':>8}{'cores':>7}")
    for name, run in found.items():
        rate, busy = frames / run.wall_s, run.cpu_s / run.wall_s
        print(f"{name:12}{rate:10.1f}{run.wall_s:10.2f}{run.cpu_s:8.2f}{busy:7.2f}")
    slower = max(found["decode"].wall_s, found["network"].wall_s)
    whole = found["end to end"]
    ratio = slower / whole.wall_s
    at_best = max(found["decode"].wall_s, found["side by side"].wall_s) / whole.wall_s
    verdict = "met" if ratio >= ACCEPTED else "missed"
    halves = found["decode"].cpu_s + found["network"].cpu_s
    print(f"ratio to the slower half {ratio:.2f} ({verdict}: {ACCEPTED} asked)")
    print(f"ratio where the network is taken side by side {at_best:.2f}")
    busy_s = (found["decode"].cpu_s + found["side by side"].cpu_s) / cores()
    print(f"of what their processor time allows {max(slower, busy_s) / whole.wall_s:.2f}")
    print(f"CPU time beyond the two halves: {whole.cpu_s / halves - 1:+.0%}")


if __name__ == "__main__":
    main()
