"""What a detector's small picture costs: shrunk by the decoder's scaler, or from the whole picture?

    python -m benchmarks.shrinking VIDEO [VIDEO ...]

Milliseconds of processor time a frame, decoding left out, and how far apart the two are, of 255.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.clips import prepare, prepared
from monitor.records import Frame
from monitor.sources import open_source

FRAMES = 200
WANTED: tuple[tuple[tuple[int, int], Literal[1, 3]], ...] = (
    ((128, 192), 1), ((128, 192), 3), ((256, 256), 1), ((256, 256), 3),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    print(f"{'':40}{'whole':>8}{'shrunk':>8}{'mean, highest difference':>28}")
    for path in parser.parse_args().videos:
        for size, channels in WANTED:
            spec = ClipSpec(size=size, channels=channels)
            name = f"{path.name} {size[1]}x{size[0]}, {'gray' if channels == 1 else 'RGB'}"
            print(f"{name:40}{compared(path, spec)}", flush=True)


def compared(path: Path, spec: ClipSpec) -> str:
    with open_source(str(path)) as source:
        frames = list(islice(source.frames(), FRAMES))
    small_ms, small = timed(frames, lambda frame: prepared(frame, spec))
    whole_ms, whole = timed(frames, lambda frame: prepare(frame.image, spec))
    apart = np.abs(small.astype(int) - whole)
    return f"{whole_ms:8.2f}{small_ms:8.2f}{apart.mean():20.2f}{apart.max():8d}"


def timed(
    frames: Sequence[Frame], make: Callable[[Frame], NDArray[np.uint8]]
) -> tuple[float, NDArray[np.uint8]]:
    began = time.process_time()
    made = [make(frame) for frame in frames]
    return 1e3 * (time.process_time() - began) / len(frames), np.stack(made)


if __name__ == "__main__":
    main()
