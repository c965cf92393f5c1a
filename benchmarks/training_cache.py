"""Seconds to the same steps of learning, without the cache of frames, with an empty and a full one.

    python -m benchmarks.training_cache DATA --detector frame_prediction --steps 300
    python -m benchmarks.training_cache LONG_VIDEO --steps 300 --pool-mb 40

The three learn from the same seed; their networks are compared bit for bit. --pool-mb is how many
frames may be in memory: made small, a short film is gone through as a long one would be, decoded
anew in every epoch where there is no cache.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from models.detector import Budget, Detector
from monitor.datasets import open_data
from monitor.footage import find_footage
from monitor.frame_cache import FrameCache
from monitor.pipeline import TRAINING_BATCH, new_detector
from monitor.training import POOL_BYTES, ClipLoader, split_normal


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        place = Path(folder) / "frames"
        ways = {"without": None, "empty": FrameCache(place), "full": FrameCache(place)}
        print(f"{'cache':10}{'seconds':>10}{'CPU s':>8}{'same bits':>12}")
        first: Detector | None = None
        for name, cache in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            detector = learned(options, cache)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            first = first or detector
            print(f"{name:10}{wall:10.1f}{cpu:8.1f}{same(first, detector)!s:>12}", flush=True)
        size = sum(path.stat().st_size for path in place.iterdir())
        print(f"{size / 1e6:.0f} MB on disk")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--detector", default="frame_prediction")
    parser.add_argument("--preset", default="lite")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pool-mb", type=float, default=POOL_BYTES / 1e6)
    parser.add_argument("--folder", type=Path, help="where the cache is made; the system's, else")
    return parser.parse_args()


def learned(options: argparse.Namespace, cache: FrameCache | None) -> Detector:
    data = open_data(options.data)
    detector = new_detector(options.detector, options.preset, {}, data, seed=0)
    footage = find_footage(data, live=options.preset == "lite")
    loader = ClipLoader(
        split_normal(footage.videos, span=detector.spec.span, rate_hz=footage.rate_hz).fit,
        detector.spec,
        batch=getattr(detector.config, "batch", TRAINING_BATCH),
        shuffle_seed=0,
        rate_hz=footage.rate_hz,
        pool_bytes=round(options.pool_mb * 1e6),
        cache=cache,
    )
    torch.manual_seed(0)
    return detector.fit(loader, loader, budget=Budget(steps=options.steps))


def same(one: Detector, other: Detector) -> bool:
    there = other.state_dict()
    return all(torch.equal(value, there[name]) for name, value in one.state_dict().items())


if __name__ == "__main__":
    main()
