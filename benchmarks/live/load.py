"""How many cameras one machine carries, and what each costs.

    python -m benchmarks.live.load --cameras 16 --minutes 10  # a scorer that does nothing
    python -m benchmarks.live.load --cameras 4 8 12 16 --model door.pt   # with a model
    python -m benchmarks.live.load --cameras 4 8 --detector fusion  # trained in a moment
    python -m benchmarks.live.load --cameras 4 8 --detector fusion --export openvino

Real RTSP servers, 640x360 at 10 frames per second. Without `--model` a detector is trained for a
few steps on the scene: it has learned next to nothing, but costs what it costs.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.live.engines import RunningEngine, machine, private_bytes
from benchmarks.live.scenes import quiet
from benchmarks.live.servers import RtspServer, encode_loop
from monitor.clip_writer import ClipWriter

HEAD = (
    f"{'cameras':>7} {'scored/s':>8} {'gate':>5} {'of asked':>8} {'age p50':>8} {'p95':>6} "
    f"{'p99':>6} {'capture':>8} {'private':>8} {'engine':>13} {'scorer':>13} {'servers':>7}"
    "  dropped, per camera and minute"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, nargs="+", default=[16])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--warm", type=float, default=20.0, help="seconds before it is measured")
    parser.add_argument("--fps", type=float, default=2.0, help="scored per second and camera")
    parser.add_argument("--no-gate", action="store_true", help="score also what does not move")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--detector", default="")
    parser.add_argument("--export", default="", help="openvino or onnx: run the exported model")
    asked = parser.parse_args()
    print(
        f"{machine()}; age in seconds; CPU in shares of one core; capture and private per camera; "
        "gate: share of the due frames that it lets pass"
    )
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        model = asked.model or (trained(asked.detector, Path(folder)) if asked.detector else None)
        if model and asked.export:
            model = exported(model, asked.export, Path(folder))
        for count in asked.cameras:
            ask = Asked(count, asked.minutes, asked.warm, asked.fps, not asked.no_gate, model)
            try:
                print(row(ask, Path(folder) / str(count)), flush=True)
            except (TimeoutError, RuntimeError) as error:
                print(f"{count:7d} {error}", flush=True)


@dataclass(frozen=True)
class Asked:
    """What one row is measured with."""

    cameras: int
    minutes: float
    warm_s: float
    fps: float
    gate: bool
    model: Path | None


def row(asked: Asked, folder: Path) -> str:
    with watched(asked, folder) as (engine, server):
        return measured(engine, psutil.Process(server.pid), asked)


@contextmanager
def watched(asked: Asked, folder: Path) -> Iterator[tuple[RunningEngine, RtspServer]]:
    """All cameras scored, and the seconds for warming up over."""
    folder.mkdir()
    stream = encode_loop(folder / "quiet.h264", frames=200, picture=quiet)
    server = RtspServer(mounts={f"/{i}": stream for i in range(asked.cameras)})
    with server:
        cameras = [
            {"name": f"cam{i:02d}", "url": server.url(f"/{i}"), "score_fps": asked.fps}
            | {"gate": asked.gate}
            | ({"model": str(asked.model.absolute())} if asked.model else {})
            for i in range(asked.cameras)
        ]
        with RunningEngine(folder, cameras, null=asked.model is None) as engine:
            engine.running(180)
            engine.wait(lambda: all(c["scored_at"] for c in engine.ask("/api/cameras")), 180)
            time.sleep(asked.warm_s)
            yield engine, server


@dataclass(frozen=True)
class Counts:
    """What is counted up while the engine runs."""

    at_s: float
    ages: dict[float, float]
    drops: dict[str, int]
    cpu_s: tuple[float, ...]  # of each group of processes

    @classmethod
    def of(cls, engine: RunningEngine, groups: list[list[psutil.Process]]) -> "Counts":
        """As of now."""
        return cls(time.monotonic(), ages(engine), drops(engine), tuple(map(cpu_s, groups)))


def measured(engine: RunningEngine, server: psutil.Process, asked: Asked) -> str:
    workers, spawned = engine.children("capture"), engine.children("spawn_main")
    own = psutil.Process(engine.pid)
    groups = [workers, [own], spawned, [server]]
    before = Counts.of(engine, groups)
    time.sleep(60 * asked.minutes)
    after = Counts.of(engine, groups)
    seconds, n = after.at_s - before.at_s, asked.cameras
    counts = {edge: late - before.ages.get(edge, 0.0) for edge, late in after.ages.items()}
    lost = {cause: late - before.drops.get(cause, 0) for cause, late in after.drops.items()}
    scored, gated = counts[float("inf")], lost.get("gate", 0)
    capture, engine_cpu, scorer_cpu, server_cpu = (
        (late - early) / seconds for early, late in zip(before.cpu_s, after.cpu_s, strict=True)
    )
    private = sum(map(private_bytes, workers)) / len(workers) / 1e6
    engine_mb, scorer_mb = private_bytes(own) / 1e6, sum(map(private_bytes, spawned)) / 1e6
    said = ", ".join(f"{cause} {k / n / seconds * 60:.1f}" for cause, k in lost.items() if k)
    p50, p95, p99 = (quantile(counts, share) for share in (0.5, 0.95, 0.99))
    return (
        f"{n:7d} {scored / seconds:8.1f} {scored / max(scored + gated, 1):5.0%} "
        f"{(scored + gated) / (seconds * n * asked.fps):8.0%} "
        f"{p50:8.3f} {p95:6.3f} {p99:6.3f} {capture / n:8.1%} {private:5.0f} MB "
        f"{engine_cpu:6.1%} {engine_mb:3.0f} MB {scorer_cpu:6.1%} {scorer_mb:3.0f} MB "
        f"{server_cpu:7.1%}  {said}; {(engine.status() or {}).get('runtime', '')}"
    )


def exported(model: Path, kind: str, folder: Path) -> Path:
    """The same model without torch."""
    out = folder / "model.oddwatch"
    words = ["export", str(model), "--to", kind, "-o", str(out)]
    subprocess.run([sys.executable, "-m", "monitor", *words], check=True, capture_output=True)
    return out


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
