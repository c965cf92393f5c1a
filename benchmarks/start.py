"""How long until it does something: --help, one picture, an engine's first score.

    python -m benchmarks.start --stills STILL.oddwatch --picture PICTURE --video VIDEO --model MODEL

STILL.oddwatch and MODEL are files of `oddwatch export` (MODEL may be one of train). Each is started
anew --repeats times as a process of its own; medians and the slowest, wall time and processor time
of all its processes. A first start is not counted: it fills the disk's cache and, where the
packages were installed without, writes their byte code, as pip does when it installs them.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.live.engines import RunningEngine

Cost = tuple[float, float]  # seconds: on the wall, of processors

ASKED_S = {"--help": 0.5, "inspect": 2.0, "engine": 5.0}


def main() -> None:
    options = arguments()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if options.without_byte_code:
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": os.devnull}
    ways: dict[str, Callable[[], Cost]] = {"--help": lambda: command("--help")}
    if options.stills:
        words = ("inspect", str(options.stills), str(options.picture), "--json")
        ways["inspect"] = lambda: command(*words)
    if options.model:
        ways["engine"] = lambda: engine(options.model, options.video)
    print(f"{'':10}{'median s':>10}{'slowest':>10}{'CPU s':>8}{'asked s':>10}")
    for name, way in ways.items():
        way()
        costs = [way() for _ in range(options.repeats)]
        walls, cpus = zip(*costs, strict=True)
        print(
            f"{name:10}{median(walls):10.2f}{max(walls):10.2f}{median(cpus):8.2f}"
            f"{ASKED_S[name]:10.1f}"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stills", type=Path, help="an exported model for pictures")
    parser.add_argument("--picture", type=Path, help="for it to judge")
    parser.add_argument("--model", type=Path, help="a model for video")
    parser.add_argument("--video", type=Path, help="for it to watch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--without-byte-code", action="store_true", help="of any module, the standard library's too"
    )
    return parser.parse_args()


def command(*words: str) -> Cost:
    """Of `oddwatch WORDS`; inspect may end with status 3, defective."""
    began, before = time.perf_counter(), spent_s()
    ran = subprocess.run(
        [sys.executable, "-m", "monitor", *words], check=False, capture_output=True, text=True
    )
    if ran.returncode not in (0, 3):
        raise SystemExit(f"oddwatch {' '.join(words)}: {ran.stderr or ran.stdout}")
    return time.perf_counter() - began, spent_s() - before


def engine(model: Path, video: Path) -> Cost:
    """From the start of its process until its API tells of a score."""
    camera = {"name": "door", "url": str(video.resolve()), "loop": True}
    with tempfile.TemporaryDirectory() as folder:
        camera |= {"model": str(model.resolve())}
        watch = RunningEngine(Path(folder), [camera], null=False)
        began, before = time.perf_counter(), spent_s()
        with watch:
            watch.wait(lambda: scored(watch.camera("door")), 60)
            wall_s = time.perf_counter() - began
        return wall_s, spent_s() - before  # of processors: until it has ended


def scored(camera: dict[str, Any]) -> bool:
    if camera["state"] == "failed":
        raise SystemExit(f"the camera is not scored: {camera['reason']}")
    return camera.get("score") is not None


def spent_s() -> float:
    """Of processors, by all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
