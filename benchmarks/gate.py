"""How many of the frames that are due the motion gate lets pass, of films and folders of frames.

    python -m benchmarks.gate DATA/cctv/* DATA/ped2/testing/frames/*

Ten frames a second go through what the capture process measures and what the engine decides by it,
two a second are due; nothing is scored. Folders are taken for one film, one after the other.
"""

import argparse
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median

from monitor.capture.stats import PictureMeter
from monitor.live.gate import MotionGate
from monitor.records import Image
from monitor.sources import open_source, resample

RATE_HZ, DUE_HZ = 10, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path)
    asked = parser.parse_args()
    folders = [path for path in asked.sources if path.is_dir()]
    print(f"{'passed':>8}{'motion, median':>16}{'threshold':>11}  footage")
    for path in asked.sources:
        if path not in folders:
            row(path.name, pictures([path]))
    if folders:
        row(f"{len(folders)} folders", pictures(folders))


def pictures(paths: list[Path]) -> Iterator[Image]:
    for path in paths:
        with open_source(path, folder_rate_hz=RATE_HZ) as source:
            for frame in resample(source.frames(), RATE_HZ):
                yield frame.image


def row(name: str, images: Iterator[Image]) -> None:
    meter, gate = PictureMeter(), MotionGate()
    motions, due, passed = [], 0, 0
    for index, image in zip(count(), images, strict=False):
        now_s = index / RATE_HZ
        motions.append(meter.measure(image, now_s).motion)
        gate.feed(motions[-1], now_s)
        if index % (RATE_HZ // DUE_HZ):
            continue
        due += 1
        if gate.wants(now_s):
            passed += 1
            gate.scored(0.0, now_s)
    print(f"{passed / due:8.0%}{median(motions):16.4f}{gate.threshold:11.4f}  {name}", flush=True)


if __name__ == "__main__":
    main()
