"""Every fault a camera, a machine or a person can bring about, against a running engine.

    python -m benchmarks.live.faults [NAME...] [-o FILE]

Real RTSP servers, the real engine, a scorer that computes nothing (`null_engine`). Each row says
what was done, what was measured, and whether the condition holds; after it the store, the folder
and the notices are audited. The machine's clock is left alone: the engine's own is set instead.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import quantiles

from benchmarks.live.camera_faults import (
    all_at_once,
    catch_up_burst,
    codec_change,
    corrupt_packets,
    flapping,
    half_open,
    refused,
    resolution_change,
    silent_stall,
)
from benchmarks.live.engines import machine
from benchmarks.live.machine_faults import (
    capture_killed,
    clock_step,
    database_locked,
    disk_full,
    engine_killed,
    scoring_killed,
    unreachable,
)
from benchmarks.live.scenes import Receiver
from benchmarks.live.servers import has_rtsp_server
from benchmarks.live.stage import Audit, Ground, Result

FAULTS: dict[str, Callable[[Ground], Result]] = {
    fault.__name__: fault
    for fault in (
        silent_stall, half_open, refused, flapping, all_at_once, corrupt_packets,
        resolution_change, codec_change, catch_up_burst, clock_step, disk_full, database_locked,
        capture_killed, scoring_killed, engine_killed, unreachable,
    )
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*FAULTS, []], default=[])
    parser.add_argument("-o", "--out", type=Path)
    asked = parser.parse_args()
    if not has_rtsp_server():
        sys.exit("GStreamer's RTSP server is not installed; see the head of servers.py")
    print(f"{machine()}\n{'fault':<18} {'':<6} {'seconds':>7}  what was measured")
    results = {name: row(name) for name in asked.names or FAULTS}
    if asked.out:
        plain = {n: {**asdict(r), "audit": asdict(a)} for n, (r, a) in results.items()}
        asked.out.write_text(json.dumps(plain, indent=1))
    print(total(results))
    sys.exit(not all(result.holds and audit.clean for result, audit in results.values()))


def row(name: str) -> tuple[Result, Audit]:
    """One fault, on ground of its own, and what was left there."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Receiver() as receiver:
        ground = Ground(Path(folder), receiver)
        try:
            result = FAULTS[name](ground)
        except (TimeoutError, RuntimeError, AssertionError) as error:
            result = Result(holds=False, text=f"{type(error).__name__}: {error}")
        audit = ground.audit()
        if ground.out.is_mount():
            subprocess.run(["umount", "-l", ground.out], check=False)
    good = result.holds and audit.clean and not result.lost
    back = f"; back after {_times(result.recovered_s)}" if result.recovered_s else ""
    left = "" if audit.clean else f"; {audit}"
    seconds = time.monotonic() - began
    print(f"{name:<18} {'holds' if good else 'FAILS':<6} {seconds:7.0f}  {result.text}{back}{left}")
    sys.stdout.flush()
    return result, audit


def total(results: dict[str, tuple[Result, Audit]]) -> str:
    """Over all rows."""
    times = [second for result, _ in results.values() for second in result.recovered_s]
    sums = {
        name: sum(getattr(audit, name) for _, audit in results.values())
        for name in ("twice", "untold", "orphans", "leaked")
    }
    return (
        f"recovery {_times(tuple(times))}; lost events "
        f"{sum(result.lost for result, _ in results.values())}, notices twice {sums['twice']}, "
        f"alerts untold {sums['untold']}, orphans {sums['orphans']}, rings leaked {sums['leaked']}"
    )


def _times(times: tuple[float, ...]) -> str:
    if len(times) < 2:
        return f"{times[0]:.1f} s" if times else "not measured"
    cuts = quantiles(times, n=20, method="inclusive")
    return f"p50 {cuts[9]:.1f} s, p95 {cuts[18]:.1f} s ({len(times)} times)"


if __name__ == "__main__":
    main()
