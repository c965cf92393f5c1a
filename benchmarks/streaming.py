"""What it is worth to work on each frame and pair of frames once, and not once for each clip.

    python -m benchmarks.streaming VIDEO --model MODEL.oddwatch

MODEL is an exported motion or fusion. The same clips are scored in turn by a model that remembers
and by one that is made anew for each clip; processor time, so that what else runs changes little.
Says too by how much the scores differ, which is nothing.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.clips import at_rate, cut_clips
from monitor.datasets import open_data
from monitor.model import load_model
from monitor.records import Clip
from monitor.runtimes import Exported, Runtime
from monitor.runtimes.choosing import installed, make_runtime


def main() -> None:
    options = arguments()
    cv2.setNumThreads(1)
    model = load_model(options.model)
    exported = model.detector
    assert isinstance(exported, Exported)
    data = open_data(options.video)
    video = (data.test or data.train)[0]
    taken = at_rate(video.frames(), model.rate_hz)
    cut = cut_clips(taken, exported.spec, model.rate_hz)
    print(f"{exported.name}, {options.clips} clips of {video.name}, one thread, CPU ms a clip")
    print(f"{'every':>8}{'per clip':>12}{'per frame':>12}{'times':>8}{'largest difference':>22}")
    stream = list(islice(cut, options.clips))
    for every in options.every:
        measure(exported, stream[::every], every)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("video", help="or a data set, of which the first is taken")
    parser.add_argument("--model", type=Path, required=True, help="of oddwatch export")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--every", type=int, nargs="+", default=[1, 2, 5], help="frames apart")
    return parser.parse_args()


def measure(exported: Exported, clips: Sequence[Clip], every: int) -> None:
    name = installed(exported.facts)[0]
    shared = make_runtime(exported, name, 1)
    alone = [make_runtime(exported, name, 1) for _ in clips]
    shared_ms, one = scored(clips, lambda _place: shared)
    alone_ms, other = scored(clips, lambda place: alone[place])
    worst = float(np.abs(one - other).max())
    print(f"{every:8}{alone_ms:12.1f}{shared_ms:12.1f}{alone_ms / shared_ms:8.2f}{worst:22g}")


def scored(
    clips: Sequence[Clip], runtime_at: Callable[[int], Runtime]
) -> tuple[float, NDArray[np.floating]]:
    """Milliseconds of all threads for one clip, without the first; and the scores."""
    found = []
    began = 0.0
    for place, clip in enumerate(clips):
        if place == 1:
            began = time.process_time()
        runtime = runtime_at(place)
        found.append(runtime.examine(runtime.batch([clip.frames])).scores)
    spent = time.process_time() - began
    return 1e3 * spent / (len(clips) - 1), np.concatenate(found)


if __name__ == "__main__":
    main()
