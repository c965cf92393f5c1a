"""How long a picture takes to be judged after start, one at a time, on one core.

    OMP_NUM_THREADS=1 python -m benchmarks.inspect_speed MODEL [PICTURE] [--side 256] [--json]

Reading the file, judging it and finding its box count; starting the program and reading the model
do not, nor do the first pictures, in which torch makes up its mind. Without PICTURE, noise of
--side is judged: what is in a picture does not matter for the time, but how large it is does.
Median and 95th percentile of --pictures. torch is held to one thread whatever OMP_NUM_THREADS says.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from monitor.stills.inspecting import still_of
from monitor.stills.judging import judged
from monitor.stills.model import StillModel, load_still_model

WARM_UP = 5


def milliseconds(model: StillModel, picture: Path, pictures: int) -> list[float]:
    times_ms = []
    for _ in range(WARM_UP + pictures):
        began_s = time.perf_counter()
        (one,) = judged([still_of(picture)], model, batch=1)
        times_ms.append(1000 * (time.perf_counter() - began_s))
        if one.score is None:
            raise SystemExit(f"oddwatch: {one.why}")
    return times_ms[WARM_UP:]


def noise(folder: str, side: int) -> Path:
    path = Path(folder) / "noise.png"
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    cv2.imwrite(str(path), image)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("picture", type=Path, nargs="?")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    model = load_still_model(asked.model)
    with tempfile.TemporaryDirectory() as folder:
        picture = asked.picture or noise(folder, asked.side)
        times_ms = milliseconds(model, picture, asked.pictures)
        height, width = still_of(picture).picture().shape[:2]
    detector = model.detector
    found = {
        "detector": detector.name,
        "preset": model.preset,
        "input": list(detector.spec.size),
        "picture": [height, width],
        "parameters": sum(p.numel() for p in detector.parameters()),
        "median_ms": round(statistics.median(times_ms), 2),
        "p95_ms": round(float(np.quantile(times_ms, 0.95)), 2),
        "pictures": asked.pictures,
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "torch": str(torch.__version__),
    }
    if asked.json:
        print(json.dumps(found))
        return
    print(
        f"{detector.name} ({model.preset}, {detector.spec.size[1]}x{detector.spec.size[0]}): "
        f"{found['median_ms']} ms for a picture of {width}x{height} (95 %: {found['p95_ms']} ms), "
        f"one thread, {asked.pictures} pictures"
    )


if __name__ == "__main__":
    main()
