"""Hours with eight cameras, one of them unreachable and one flapping: does anything grow?

    python -m benchmarks.live.soak --minutes 60

A line a minute, and at the end the slope of each figure by least squares over the second half.
"""

import argparse
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np

from benchmarks.live.engines import RunningEngine, leaked_memory, machine
from benchmarks.live.scenes import loops
from benchmarks.live.servers import RtspServer, free_port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        soak(Path(folder), asked.minutes)
    print(f"shared memory left behind: {leaked_memory() or 'none'}")


def soak(folder: Path, minutes: float) -> None:
    streams = loops(folder / "loops")
    steady = RtspServer(mounts={f"/{i}": streams["quiet"] for i in range(6)})
    flapping = RtspServer(mounts={"/flap": streams["quiet"]})
    ended = threading.Event()
    with steady, flapping:
        cameras = [{"name": f"cam{i}", "url": steady.url(f"/{i}")} for i in range(6)]
        cameras.append({"name": "flapping", "url": flapping.url("/flap")})
        cameras.append({"name": "nowhere", "url": f"rtsp://127.0.0.1:{free_port()}/x"})
        threading.Thread(target=flap, args=(flapping, ended), daemon=True).start()
        with RunningEngine(folder, cameras) as engine:
            rows = watch(engine, minutes)
            ended.set()
            print(f"stopped in {engine.stop():.1f} s")
    report(rows)


def watch(engine: RunningEngine, minutes: float) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    began = time.monotonic()
    at_first: Counter[str] = Counter()
    while time.monotonic() - began < 60 * minutes:
        time.sleep(60)
        at_first = at_first or engine.open_files()
        rows.append({"minute": (time.monotonic() - began) / 60, **engine.figures()})
        alerts, health = len(engine.alerts()), len(engine.health())
        print(f"{rows[-1]}  alerts {alerts}, health events {health}", flush=True)
    print(f"opened since the first minute: {dict(engine.open_files() - at_first) or 'nothing'}")
    return rows


def flap(server: RtspServer, ended: threading.Event) -> None:
    while not ended.wait(20):
        server.stop()
        while not ended.wait(20):
            with suppress(RuntimeError):  # somebody has its port for the moment: down for longer
                server.start()
                break


def report(rows: list[dict[str, float]]) -> None:
    late = rows[len(rows) // 2 :]
    minutes = np.array([row["minute"] for row in late])
    for name in ("MB", "fds", "threads", "children"):
        values = np.array([row[name] for row in late])
        slope = np.polyfit(minutes, values, 1)[0] * 60 if len(late) > 1 else float("nan")
        print(f"{name:<9} {values.min():.0f} to {values.max():.0f}, slope {slope:+.2f} per hour")


if __name__ == "__main__":
    main()
