"""Whether an engine feels a dashboard: how old frames are when scored, with none and one attached.

    python -m benchmarks.live.beside [--cameras 4] [--seconds 45] [--rounds 3] [--model MODEL]

The real engine on real RTSP streams, 640x360 at 10 frames a second, scored four times a second by a
scorer that computes nothing, or by a model. Spans without and with a dashboard at 240x60 take
turns, so that what else the machine does falls on both alike.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.live.dashboard import cpu_s, read_for, start
from benchmarks.live.engines import RunningEngine, machine
from benchmarks.live.load import ages, quantile
from benchmarks.live.scenes import loops
from benchmarks.live.servers import RtspServer

COLUMNS, ROWS = 240, 60
SETTLE_S = 8.0  # for a dashboard to start, or an engine to forget it
WARM_S = 15.0
SHARES = (0.5, 0.95, 0.99)


def span(engine: RunningEngine, seconds: float) -> tuple[dict[float, float], float]:
    """Ages counted in a span, and the engine's share of a core."""
    before, spent, began = ages(engine), cpu_s(engine.pid), time.monotonic()
    time.sleep(seconds)
    share = (cpu_s(engine.pid) - spent) / (time.monotonic() - began)
    after = ages(engine)
    return {edge: after[edge] - before.get(edge, 0.0) for edge in after}, share


def attached(engine: RunningEngine, seconds: float, home: str) -> tuple[dict[float, float], float]:
    """The same with a dashboard, which is read as a terminal reads it."""
    process, terminal = start(engine.url(), COLUMNS, ROWS, home)
    try:
        read_for(terminal, SETTLE_S)
        before, spent, began = ages(engine), cpu_s(engine.pid), time.monotonic()
        drawn, _ = read_for(terminal, seconds)
        share = (cpu_s(engine.pid) - spent) / (time.monotonic() - began)
        after = ages(engine)
        assert drawn > 0, "the dashboard drew nothing"
        return {edge: after[edge] - before.get(edge, 0.0) for edge in after}, share
    finally:
        process.terminate()
        process.wait()


def say(name: str, counts: Mapping[float, float], shares: Sequence[float]) -> None:
    p50, p95, p99 = (quantile(dict(counts), share) for share in SHARES)
    cpu = sum(shares) / len(shares)
    print(
        f"{name:18} {counts[float('inf')]:8.0f} {p50:8.3f} {p95:8.3f} {p99:8.3f} {cpu:8.1%}",
        flush=True,
    )


def compare(engine: RunningEngine, seconds: float, rounds: int, home: str) -> None:
    """Print what was counted over all spans without, and with."""
    sums: tuple[Counter[float], Counter[float]] = (Counter(), Counter())
    shares: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        time.sleep(SETTLE_S)
        for dashboards, spent in enumerate(
            (span(engine, seconds), attached(engine, seconds, home))
        ):
            sums[dashboards].update(spent[0])
            shares[dashboards].append(spent[1])
    say("no dashboard", sums[0], shares[0])
    say("one dashboard", sums[1], shares[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path)
    asked = parser.parse_args()
    print(f"{machine()}; {asked.cameras} cameras, {asked.rounds} x {asked.seconds:.0f} s each")
    print(f"{'':18} {'scored':>8} {'age p50':>8} {'p95':>8} {'p99':>8} {'engine':>8}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        stream = loops(folder / "loops")["quiet"]
        own = {"model": str(asked.model.absolute())} if asked.model else {}
        with RtspServer(mounts={f"/{i}": stream for i in range(asked.cameras)}) as server:
            cameras = [
                {"name": f"cam{i:02d}", "url": server.url(f"/{i}"), "score_fps": 4.0, **own}
                for i in range(asked.cameras)
            ]
            with RunningEngine(folder, cameras, null=asked.model is None) as engine:
                engine.running(180)
                time.sleep(WARM_S)
                compare(engine, asked.seconds, asked.rounds, place)


if __name__ == "__main__":
    main()
