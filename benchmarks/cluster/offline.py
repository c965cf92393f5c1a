"""Scoring over workers: the same file as the plain command, whatever happens; what it costs.

    python -m benchmarks.cluster.offline DATA/ped2 [--model MODEL] [--only NAME ...]

Every run is a command of its own on a Ray of its own (`--cluster local`), its start included.
`same` scores the test clips plainly and by 1, 2 and 4 workers; `killed` kills a worker with -9 in
the middle; `stopped` ends the command with Ctrl-C in the middle and gives it again; each file is
held against the plain one byte for byte. `cost` takes turns, plain and one worker, on `--minutes`
of footage: the test clips as often as it takes.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import psutil

from monitor.cli.far import PIECES

FRAMES_HZ = 10
ODDWATCH = (sys.executable, "-m", "monitor")


class Bench:
    """One model, one set, many ways to score it."""

    def __init__(self, model: Path, data: Path, work: Path) -> None:
        self.model, self.data, self.work = model, data, work

    def start(self, out: Path, *words: object, data: Path | None = None) -> subprocess.Popen[bytes]:
        """The command, running."""
        command = ["score", self.model, data or self.data, "-o", out, *words]
        return subprocess.Popen(
            [*ODDWATCH, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    @cached_property
    def plain(self) -> tuple[bytes, float]:
        """Without a cluster."""
        return self.score("plain")

    def score(self, name: str, *words: object, data: Path | None = None) -> tuple[bytes, float]:
        """The file that comes of it, and the seconds it takes."""
        began_s, out = time.monotonic(), self.work / name
        finish(self.start(out, *words, data=data))
        return (out / "scores.csv").read_bytes(), time.monotonic() - began_s


def finish(command: "subprocess.Popen[bytes]") -> None:
    said = command.communicate()[1]
    assert command.returncode == 0, said.decode()


def same(bench: Bench, _: argparse.Namespace) -> None:
    plain, seconds = bench.plain
    print(f"plain: {frames_in(plain)} frames in {seconds:.1f} s")
    for workers in (1, 2, 4):
        found, seconds = bench.score(f"by-{workers}", *far(workers))
        print(f"{workers} workers: {verdict(found, plain)}, {seconds:.1f} s")


def killed(bench: Bench, _: argparse.Namespace) -> None:
    plain, _seconds = bench.plain
    out = bench.work / "killed"
    command = bench.start(out, *far(2))
    done = wait_for(out, 2)
    victim = workers_of(command)[0]
    victim.send_signal(signal.SIGKILL)
    finish(command)
    found = (out / "scores.csv").read_bytes()
    print(f"a worker of 2 killed after {done} of 12 clips: {verdict(found, plain)}")


def stopped(bench: Bench, _: argparse.Namespace) -> None:
    plain, _seconds = bench.plain
    out = bench.work / "stopped"
    command = bench.start(out, *far(2))
    wait_for(out, 3)
    command.send_signal(signal.SIGINT)
    command.communicate()
    kept = len(list((out / PIECES).glob("*.npz")))
    print(f"ended by Ctrl-C with status {command.returncode}, {kept} of 12 clips kept")
    found, seconds = bench.score("stopped", *far(2))
    left = (out / PIECES).exists()
    print(f"gone on: {verdict(found, plain)}, {seconds:.1f} s, pieces left: {left}")


def cost(bench: Bench, asked: argparse.Namespace) -> None:
    data = footage(bench, asked.minutes)
    ratios = []
    for number in range(asked.repeats):
        plain, plain_s = bench.score(f"long-plain-{number}", data=data)
        found, far_s = bench.score(f"long-far-{number}", *far(1), data=data)
        ratios.append(far_s / plain_s)
        print(
            f"{frames_in(plain)} frames: plain {plain_s:.1f} s, one worker {far_s:.1f} s, "
            f"{far_s / plain_s - 1:+.1%}, {verdict(found, plain)}",
            flush=True,
        )
    print(f"median {statistics.median(ratios) - 1:+.1%}")


def footage(bench: Bench, minutes: float) -> Path:
    """Links to the test clips, as often as it takes."""
    clips = sorted(path for path in (bench.data / "testing" / "frames").iterdir() if path.is_dir())
    root, frames = bench.work / "long", 0
    for split in ("training", "testing"):
        (root / split / "frames").mkdir(parents=True)
    (root / "training" / "frames" / "00").symlink_to(clips[0])
    for number in range(10_000):
        clip = clips[number % len(clips)]
        (root / "testing" / "frames" / f"{number:04d}").symlink_to(clip)
        frames += len(list(clip.iterdir()))
        if frames >= 60 * FRAMES_HZ * minutes:
            break
    return root


def far(workers: int) -> tuple[object, ...]:
    return "--cluster", "local", "--workers", workers


def frames_in(scores: bytes) -> int:
    return len(scores.splitlines()) - 1


def verdict(found: bytes, plain: bytes) -> str:
    return "the same bytes" if found == plain else "ANOTHER FILE"


def wait_for(out: Path, pieces: int) -> int:
    """Until so many pieces are done."""
    while (done := len(list((out / PIECES).glob("*.npz")))) < pieces:
        time.sleep(0.02)
    return done


def workers_of(command: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    below = psutil.Process(command.pid).children(recursive=True)
    return [p for p in below if p.is_running() and "ray::Worker" in " ".join(p.cmdline())]


PARTS: dict[str, Callable[[Bench, argparse.Namespace], None]] = {
    part.__name__: part for part in (same, killed, stopped, cost)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="UCSD Ped2")
    parser.add_argument("--model", type=Path, help="in place of a small one that is trained first")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="offline-") as folder:
        model = asked.model or Path(folder) / "small.pt"
        if asked.model is None:
            words = ["frame_prediction", str(asked.data), "--steps", "100", "-o", str(model)]
            subprocess.run([*ODDWATCH, "train", *words], check=True, capture_output=True)
        bench = Bench(model, asked.data.absolute(), Path(folder))
        for name in asked.only:
            PARTS[name](bench, asked)


if __name__ == "__main__":
    main()
