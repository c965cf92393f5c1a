"""What the dashboard costs: 64 cameras at 4 scores a second each, over real HTTP, in a real pty.

    python -m benchmarks.live.dashboard [--cameras 64] [--seconds 60] [--size 200x50]

Three processes: a scripted engine behind the real API, the dashboard in a pseudo-terminal, and
this one, which reads what the dashboard draws, presses keys and looks at /proc. It prints the
dashboard's share of one core, the bytes it draws a second, the time from a key to the screen and
its memory at the beginning and the end.
"""

import argparse
import asyncio
import fcntl
import json
import multiprocessing
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from datetime import UTC, datetime
from pathlib import Path

RATE_HZ = 4.0
SETTLE_S = 8.0
DASHBOARD = "import sys; from monitor.cli.tui import show; show([sys.argv[1]])"
SELECTED = (  # only the chosen tile, or line, has it
    "\N{BOX DRAWINGS HEAVY DOWN AND RIGHT}".encode(),
    "\N{LEFT HALF BLOCK}".encode(),
)


def serve(folder: str, cameras: int, found: "multiprocessing.Queue[str]") -> None:
    """A scripted engine whose scores and states never rest."""
    asyncio.run(_serve(Path(folder), cameras, found))


async def _serve(folder: Path, cameras: int, found: "multiprocessing.Queue[str]") -> None:
    import random

    from monitor.api.schema import Message, ScorePoint
    from tests.monitor.api.scripted import ScriptedEngine, serving_script

    engine = ScriptedEngine(folder, cameras)
    engine.hub.pace_s = 0.25
    dice = random.Random(0)
    async with serving_script(engine) as url:
        found.put(url)
        beat = 0
        while True:
            engine.now = datetime.now(UTC)
            points = [
                ScorePoint(camera=name, at=engine.now, score=abs(dice.gauss(0.3, 0.3)))
                for name in engine.state
            ]
            engine.push(Message(scores=points))
            if beat % 4 == 0:  # an engine tells states once a second
                states = [
                    one.model_copy(update={"frame_age_s": dice.random(), "fps_in": 12.5})
                    for one in engine.state.values()
                ]
                engine.push(Message(engine=engine.status(), cameras=states))
            if beat % 240 == 30:
                alert = engine.raise_alert(dice.choice(list(engine.state)))
                engine.end_alert(alert.id)
            beat += 1
            await asyncio.sleep(1 / RATE_HZ)


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def read_for(terminal: int, seconds: float, until: tuple[bytes, ...] = ()) -> tuple[int, float]:
    """Bytes drawn, and seconds until a mark was among them."""
    began, drawn = time.monotonic(), 0
    while (left := began + seconds - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            try:
                data = os.read(terminal, 1 << 16)
            except OSError:  # the dashboard has closed its end
                break
            drawn += len(data)
            if any(mark in data for mark in until):
                break
    return drawn, time.monotonic() - began


def start(url: str, columns: int, rows: int, home: str) -> tuple[subprocess.Popen[bytes], int]:
    """The dashboard in a pseudo-terminal of a size."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    words = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "XDG_CONFIG_HOME": home}
    process = subprocess.Popen(
        [sys.executable, "-c", DASHBOARD, url],
        stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **words},
    )  # fmt: skip
    os.close(slave)
    return process, master


def measure(url: str, seconds: float, columns: int, rows: int, home: str) -> dict[str, object]:
    """Watch it for so long, then press keys."""
    process, terminal = start(url, columns, rows, home)
    try:
        read_for(terminal, SETTLE_S)
        before, memory, began = cpu_s(process.pid), rss_mb(process.pid), time.monotonic()
        drawn, _ = read_for(terminal, seconds)
        spent = time.monotonic() - began
        share = (cpu_s(process.pid) - before) / spent
        after = rss_mb(process.pid)
        keys = []
        for number in range(40):
            read_for(terminal, 0.13)
            os.write(terminal, b"j" if number % 2 == 0 else b"k")
            keys.append(read_for(terminal, 2.0, SELECTED)[1] * 1000)
        os.write(terminal, b"q")
        read_for(terminal, 1.0)
        return {
            "size": f"{columns}x{rows}",
            "share_of_a_core": round(share, 3),
            "drawn_kB_per_s": round(drawn / spent / 1000, 1),
            "key_ms_median": round(statistics.median(keys), 1),
            "key_ms_p95": round(sorted(keys)[int(len(keys) * 0.95)], 1),
            "rss_MB_begin_end": [round(memory, 1), round(after, 1)],
            "seconds": round(spent, 1),
        }
    finally:
        process.terminate()
        process.wait()
        os.close(terminal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--size", action="append", default=[])
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        engine = context.Process(target=serve, args=(folder, given.cameras, found), daemon=True)
        engine.start()
        url = found.get(timeout=60)
        for size in given.size or ["80x24", "120x40", "240x60"]:
            columns, rows = (int(part) for part in size.split("x"))
            result = measure(url, given.seconds, columns, rows, folder)
            print(json.dumps({"cameras": given.cameras, "rate_hz": RATE_HZ, **result}), flush=True)
        engine.terminate()


if __name__ == "__main__":
    main()
