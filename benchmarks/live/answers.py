"""How soon the engine's API answers where the processors do not suffice.

    python -m benchmarks.live.answers --cameras 32 --busy 2 [--model MODEL]

The engine of `load`, and processes beside it that do nothing but add. `/api/cameras` is asked
again and again: first with the ranks of `monitor.priorities`, then with all of its processes and
the busy ones at one rank. An answer that takes over --patience seconds counts as so many.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks.live.engines import RunningEngine, machine
from benchmarks.live.load import Asked, exported, trained, watched
from benchmarks.waiting import busy
from monitor.priorities import SCORING

BETWEEN_S = 0.3


def main() -> None:
    options = arguments()
    print(f"{machine()}; {options.cameras} cameras, {options.busy} busy processes; seconds")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = options.model or exported(trained(options.detector, folder), "openvino", folder)
        asked = Asked(options.cameras, 0, options.warm, 2.0, gate=True, model=model)
        with watched(asked, folder / "engine") as (engine, _), busy(options.busy) as others:
            print(f"{'':12}{'answers':>8}{'p50':>8}{'p95':>8}{'longest':>9}{'load':>7}")
            row("ranked", engine, options)
            level([*engine.tree(), *map(as_process, others)])
            row("one rank", engine, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, default=32)
    parser.add_argument("--busy", type=int, default=2, help="processes beside the engine")
    parser.add_argument("--seconds", type=float, default=30.0, help="of asking, for each row")
    parser.add_argument("--warm", type=float, default=10.0, help="seconds before it is measured")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds for an answer")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--detector", default="frame_prediction", help="where there is no model")
    return parser.parse_args()


def row(name: str, engine: RunningEngine, options: argparse.Namespace) -> None:
    took, until = [], time.monotonic() + options.seconds
    while time.monotonic() < until:
        took.append(answer_s(engine, options.patience))
        time.sleep(BETWEEN_S)
    p50, p95 = np.quantile(took, (0.5, 0.95))
    load = os.getloadavg()[0]
    print(f"{name:12}{len(took):8d}{p50:8.2f}{p95:8.2f}{max(took):9.2f}{load:7.1f}", flush=True)


def answer_s(engine: RunningEngine, patience_s: float) -> float:
    began = time.monotonic()
    with suppress(httpx.TimeoutException):
        httpx.get(f"{engine.url()}/api/cameras", timeout=patience_s).raise_for_status()
    return time.monotonic() - began


def as_process(started: "subprocess.Popen[bytes]") -> psutil.Process:
    return psutil.Process(started.pid)


def level(processes: Iterable[psutil.Process]) -> None:
    """All at the rank of the last: anybody may step back, nobody forward."""
    for process in processes:
        for thread in process.threads():  # each has a rank of its own
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, thread.id, SCORING)


if __name__ == "__main__":
    main()
