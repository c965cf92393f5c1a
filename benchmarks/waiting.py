"""What threads that wait by spinning cost, on an idle machine and on one with other work.

    python -m benchmarks.waiting --busy 0 10

Each figure is of a process of its own: the lite frame predictor on two threads, a batch of four
clips and eight steps of learning, with GNU OpenMP's own spinning and as `monitor.waiting` sets it.
`--busy` processes do nothing but add meanwhile. The ways take turns, --repeats times; ranges.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from monitor.waiting import SPINS

ADDS = "while True: sum(range(100_000))"
WAYS = {"spin": None, "sleep": SPINS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 10])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured()))
        return
    print(f"{'busy':>5} {'threads':8}{'batch, ms':>20}{'eight steps, ms':>22}")
    for count in asked.busy:
        with busy(count):
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
            for _ in range(asked.repeats):
                for name, spins in WAYS.items():
                    found[name].append(in_a_process(spins))
        for name, pairs in found.items():
            batch, steps = (
                f"{min(part):.0f} to {max(part):.0f}" for part in zip(*pairs, strict=True)
            )
            print(f"{count:5d} {name:8}{batch:>20}{steps:>22}", flush=True)


@contextmanager
def busy(count: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """So many processes that add."""
    others = [subprocess.Popen([sys.executable, "-c", ADDS]) for _ in range(count)]
    try:
        yield others
    finally:
        for other in others:
            other.kill()
            other.wait()


def in_a_process(spins: str | None) -> tuple[float, float]:
    """Milliseconds of a batch and of the steps."""
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT",)}
    if spins is not None:
        environment["GOMP_SPINCOUNT"] = spins
    command = [sys.executable, "-m", "benchmarks.waiting", "--measure"]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    batch, steps = json.loads(said.stdout)
    return batch, steps


def measured() -> tuple[float, float]:
    """In this process, which torch has not been imported in yet."""
    import torch

    from models.detector import Budget
    from models.registry import build

    torch.set_num_threads(2)
    torch.manual_seed(0)
    detector = build("frame_prediction", "lite")
    spec = detector.spec
    clips = [torch.rand(4, spec.length, spec.channels, *spec.size) for _ in range(2)]
    began = time.perf_counter()
    detector.fit(clips, clips[:1], budget=Budget(steps=8))
    steps = time.perf_counter() - began
    detector.eval()
    times = []
    for _ in range(10):
        began = time.perf_counter()
        detector.examine(clips[0])
        times.append(time.perf_counter() - began)
    return 1e3 * sorted(times)[len(times) // 2], 1e3 * steps


if __name__ == "__main__":
    main()
