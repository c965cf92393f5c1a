"""How many cameras one machine carries, and what each costs.

    python -m benchmarks.live.load --cameras 16 --minutes 10  # a scorer that does nothing
    python -m benchmarks.live.load --cameras 4 8 12 16 --model door.pt   # with a model
    python -m benchmarks.live.load --cameras 4 8 --detector fusion  # trained in a moment

Real RTSP servers, 640x360 at 10 frames per second. Without `--model` a detector is trained for a
few steps on the scene: it has learned next to nothing, but costs what it costs.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from benchmarks.live.engines import RunningEngine, machine, private_bytes
from benchmarks.live.scenes import loops, quiet
from benchmarks.live.servers import RtspServer
from monitor.clip_writer import ClipWriter

WARM_S = 20.0
HEAD = (
    f"{'cameras':>7} {'scored/s':>8} {'of asked':>8} {'age p50':>8} {'p95':>6} {'p99':>6} "
    f"{'capture':>8} {'private':>8} {'engine':>7} {'scorer':>7}  dropped, per camera and minute"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, nargs="+", default=[16])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--fps", type=float, default=2.0, help="scored per second and camera")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--detector", default="")
    asked = parser.parse_args()
    print(f"{machine()}; seconds of age, CPU in shares of one core, capture and private per camera")
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        model = asked.model or (trained(asked.detector, Path(folder)) if asked.detector else None)
        for count in asked.cameras:
            place = Path(folder) / str(count)
            print(row(count, asked.minutes, asked.fps, model, place), flush=True)


def row(count: int, minutes: float, fps: float, model: Path | None, folder: Path) -> str:
    stream = loops(folder / "loops")["quiet"]
    server = RtspServer(mounts={f"/{i}": stream for i in range(count)})
    with server:
        cameras = [
            {"name": f"cam{i:02d}", "url": server.url(f"/{i}"), "score_fps": fps}
            | ({"model": str(model.absolute())} if model else {})
            for i in range(count)
        ]
        with RunningEngine(folder, cameras, null=model is None) as engine:
            engine.running(180)
            time.sleep(WARM_S)
            return measured(engine, count, minutes, fps)


def measured(engine: RunningEngine, count: int, minutes: float, fps: float) -> str:
    workers, spawned = engine.children("capture"), engine.children("spawn_main")
    own = psutil.Process(engine.pid)
    before = (ages(engine), drops(engine), *(cpu_s(part) for part in (workers, [own], spawned)))
    began = time.monotonic()
    time.sleep(60 * minutes)
    seconds = time.monotonic() - began
    after = (ages(engine), drops(engine), *(cpu_s(part) for part in (workers, [own], spawned)))
    counts = {edge: after[0][edge] - before[0][edge] for edge in after[0]}
    scored = counts[float("inf")]
    lost = {cause: after[1].get(cause, 0) - before[1].get(cause, 0) for cause in after[1]}
    said = ", ".join(f"{cause} {n / count / seconds * 60:.1f}" for cause, n in lost.items() if n)
    capture, engine_cpu, scorer_cpu = (
        (late - early) / seconds for early, late in zip(before[2:], after[2:], strict=True)
    )
    private = sum(map(private_bytes, workers)) / len(workers) / 1e6
    gated = lost.get("gate", 0)
    p50, p95, p99 = (quantile(counts, share) for share in (0.5, 0.95, 0.99))
    return (
        f"{count:7d} {scored / seconds:8.1f} {(scored + gated) / (seconds * count * fps):8.0%} "
        f"{p50:8.3f} {p95:6.3f} {p99:6.3f} {capture / count:8.1%} {private:5.0f} MB "
        f"{engine_cpu:7.1%} {scorer_cpu:7.1%}  {said}"
    )


def ages(engine: RunningEngine) -> dict[float, float]:
    """Frames scored by age, cumulative, over all cameras: bucket's upper edge -> count."""
    text = httpx.get(f"{engine.url()}/metrics", timeout=10).text
    found: dict[float, float] = {}
    pattern = r'^oddwatch_frame_age_seconds_bucket\{.*le="([^"]+)".*\} (\S+)$'
    for edge, count in re.findall(pattern, text, re.MULTILINE):
        found[float(edge)] = found.get(float(edge), 0.0) + float(count)
    return found


def quantile(counts: dict[float, float], share: float) -> float:
    """Within its bucket by straight line, as Prometheus does."""
    wanted = share * counts[float("inf")]
    low, before = 0.0, 0.0
    for edge, count in sorted(counts.items()):
        if count >= wanted:
            inside = (wanted - before) / max(count - before, 1e-9)
            return low if edge == float("inf") else low + (edge - low) * inside
        low, before = edge, count
    return low


def drops(engine: RunningEngine) -> dict[str, int]:
    found: dict[str, int] = {}
    for camera in engine.ask("/api/cameras"):
        for cause, count in camera["drops"].items():
            found[cause] = found.get(cause, 0) + count
    return found


def cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def film(path: Path, seconds: float, picture=quiet) -> Path:  # type: ignore[no-untyped-def]
    """The scene as a file to learn from."""
    writer = ClipWriter(path)
    for index in range(int(10 * seconds)):
        writer.write(picture(index), index / 10)
    writer.finish()
    return path


def trained(detector: str, folder: Path, *, seconds: float = 60, minutes: float = 0.5) -> Path:
    """A model that has seen so many seconds of the scene, and learned for so many minutes."""
    model = folder / "model.pt"
    footage = film(folder / "quiet.mp4", seconds)
    words = ["train", detector, str(footage), "--minutes", f"{minutes:g}", "-o", str(model)]
    subprocess.run([sys.executable, "-m", "monitor", *words], check=True, capture_output=True)
    return model


if __name__ == "__main__":
    main()
