"""What a film costs to decode, and to look at every frame of it, or at every third.

    python -m benchmarks.decoding VIDEO [VIDEO ...] [--every 1 3] [--repeats 3]

Seconds of processor time for the whole film, of all decoding threads; looked at is what became RGB
at full size. The ways take turns, --repeats times; medians.
"""

import argparse
import time
from pathlib import Path
from statistics import median

from monitor.sources import open_source


def main() -> None:
    options = arguments()
    ways = [0, *options.every]
    names = ["none", *(f"1 in {every}" for every in options.every)]
    print(f"{'looked at:':36}{'frames':>8}" + "".join(f"{name:>12}" for name in names))
    for path in options.videos:
        turns = [[spent(path, every) for every in ways] for _ in range(options.repeats)]
        frames = turns[0][0][0]
        seconds = (median(s for _, s in runs) for runs in zip(*turns, strict=True))
        figures = "".join(f"{found:10.2f} s" for found in seconds)
        print(f"{path.name:36}{frames:8}{figures}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    parser.add_argument("--every", nargs="+", type=int, default=[1, 3], help="frames looked at")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def spent(path: Path, every: int) -> tuple[int, float]:
    """Frames, and seconds of processors with one in so many looked at; 0: with none."""
    began, count = time.process_time(), 0
    with open_source(path) as source:
        for count, frame in enumerate(source.frames(), 1):
            if every and count % every == 0:
                assert frame.image.size
    return count, time.process_time() - began


if __name__ == "__main__":
    main()
