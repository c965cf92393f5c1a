"""Train on the first part of a clip of normal footage, watch the rest, count the alerts.

    python -m benchmarks.watch_the_rest CLIP... [--share 0.6] [--minutes 1] [--detector fusion]

Each step is the command a user would type, in a process of its own. Every alert on the rest is
false, as far as the footage is normal; the columns say what was promised for so much footage.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from monitor.clip_writer import ClipWriter
from monitor.sources import open_source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--share", type=float, default=0.6)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--detector", default="fusion")
    asked = parser.parse_args()
    print(f"{'clip':<36} {'seconds':>8} {'watched':>8} {'alerts':>6} {'promised':>9}")
    for clip in asked.clips:
        with tempfile.TemporaryDirectory() as folder:
            print(row(clip, Path(folder), asked), flush=True)


def row(clip: Path, folder: Path, asked: argparse.Namespace) -> str:
    first, rest, model = folder / "first.mp4", folder / "rest.mp4", folder / "model.pt"
    cut(clip, first, rest, asked.share)
    oddwatch("train", asked.detector, first, "--minutes", asked.minutes, "-o", model)
    told = oddwatch("watch", rest, "--model", model, "--headless", "-o", folder / "out", "--json")
    summary = json.loads(told.splitlines()[-1])
    alerts, watched_s = summary["alerts"], summary["footage_s"]
    promised = summary["promised_per_day"] * watched_s / 86_400
    return f"{clip.name:<36} {length_s(clip):8.1f} {watched_s:8.1f} {alerts:6d} {promised:9.4f}"


def cut(clip: Path, first: Path, rest: Path, share: float) -> None:
    with open_source(clip) as source:
        frames = source.n_frames or 0
        for target, start, stop in (
            (first, 0, int(frames * share)),
            (rest, int(frames * share), frames),
        ):
            writer = ClipWriter(target)
            for frame in source.frames(start, stop):
                writer.write(frame.image, frame.time_s)
            writer.finish()


def length_s(clip: Path) -> float:
    with open_source(clip) as source:
        *_, last = source.frames()
    return last.time_s


def oddwatch(*words: object) -> str:
    command = [sys.executable, "-m", "monitor", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
