"""What one API over a large fleet costs: scripted nodes, the real API, and readers of its stream.

    python -m benchmarks.cluster.many [--nodes 40] [--cameras 50] [--seconds 30]

Three processes: the nodes (an engine's own API each, all cameras scored twice a second), the
fleet's API over a database with an alert of each camera, and this one, which follows all cameras
and those of one site. Told are the API's share of a core and memory, bytes and seconds of the first
message, how old a score is when it comes, and how long an answer takes.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.live.dashboard import cpu_s, rss_mb
from monitor.api.client import Client
from monitor.api.schema import AlertWanted, Message, ScorePoint

SETTLE_S = 15.0
SITES = 20


def serve_nodes(
    folder: Path, asked: argparse.Namespace, ready: "multiprocessing.Queue[str]"
) -> None:
    asyncio.run(_serve_nodes(folder, asked, ready))


async def _serve_nodes(
    folder: Path, asked: argparse.Namespace, ready: "multiprocessing.Queue[str]"
) -> None:
    from monitor.cluster.forwarding import Forwarder
    from tests.monitor.api.scripted import ScriptedEngine, serving_script

    async with AsyncExitStack() as stack:
        engines = []
        for number in range(asked.nodes):
            name = f"n{number:03}"
            (folder / name).mkdir()
            cameras = [f"{name}-{camera:02}" for camera in range(asked.cameras)]
            engine = ScriptedEngine(folder / name, cameras)
            engine.now = datetime.now(UTC)
            for camera in cameras:
                engine.set_camera(camera, tags=[f"site:{number % SITES}"])
                engine.end_alert(engine.raise_alert(camera).id)
            engine.hub.pace_s = 0.25
            url = await stack.enter_async_context(serving_script(engine))
            events = folder / name / "events.db"
            Forwarder(events, f"sqlite:///{folder / 'shared.db'}", name).step(0.0, url)
            engines.append(engine)
        ready.put("nodes")
        dice = random.Random(0)
        while True:
            began = time.monotonic()
            for engine in engines:
                _beat(engine, dice)
                await asyncio.sleep(0)
            await asyncio.sleep(max(0.0, began + 1.0 - time.monotonic()))


def _beat(engine: object, dice: random.Random) -> None:
    now = datetime.now(UTC)
    states = engine.state  # type: ignore[attr-defined]
    points = [
        ScorePoint(camera=name, at=now, score=abs(dice.gauss(0.3, 0.3)))
        for name in states
        for _ in range(2)
    ]
    told = [one.model_copy(update={"frame_age_s": dice.random()}) for one in states.values()]
    engine.push(Message(engine=engine.status(), cameras=told, scores=points))  # type: ignore[attr-defined]


def serve_fleet(folder: Path, ready: "multiprocessing.Queue[str]") -> None:
    from monitor.cluster.serving import serve_fleet as serve

    serve(folder / "fleet.toml", folder / "api", port=0, told=ready.put)


class Reader:
    """Follows the stream and counts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.first_s = self.first_bytes = 0.0
        self.cameras: set[str] = set()
        self.ages_s: list[float] = []

    async def follow(self) -> None:
        """Until cancelled."""
        began = time.monotonic()
        async with Client(self.url) as client:
            async for message in client.stream():
                if not self.first_s:
                    self.first_s = time.monotonic() - began
                    self.first_bytes = len(message.model_dump_json())
                self.cameras |= {camera.name for camera in message.cameras}
                now = datetime.now(UTC)
                self.ages_s += [(now - point.at).total_seconds() for point in message.scores[:1]]

    def told(self) -> dict[str, float]:
        """What it counted."""
        ages = sorted(self.ages_s) or [-1.0]
        return {
            "cameras": len(self.cameras),
            "first_mb": round(self.first_bytes / 1e6, 2),
            "first_s": round(self.first_s, 2),
            "score_age_p50_s": round(ages[len(ages) // 2], 2),
            "score_age_p95_s": round(ages[int(0.95 * len(ages))], 2),
        }


async def timed(ask: Callable[[], Awaitable[object]], times: int = 10) -> float:
    """Median milliseconds."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        await ask()
        took.append(1e3 * (time.monotonic() - began))
    return round(statistics.median(took), 1)


async def measure(url: str, pid: int, seconds: float) -> dict[str, object]:
    everyone, site = Reader(url), Reader(f"{url}?tag=site:3")
    await asyncio.sleep(SETTLE_S)
    alone = await share(pid, seconds)
    tasks = [asyncio.create_task(site.follow())]
    one_site = await share(pid, seconds)
    tasks.append(asyncio.create_task(everyone.follow()))
    followed = await share(pid, seconds)
    async with Client(url) as client:
        answers = {
            "status_ms": await timed(client.status),
            "one_camera_ms": await timed(lambda: client.camera("n003-07")),
            "picture_ms": await timed(lambda: client.picture("n003-07")),
            "alerts_of_node_ms": await timed(lambda: client.alerts(AlertWanted(tag="node:n003"))),
            "alerts_of_site_ms": await timed(lambda: client.alerts(AlertWanted(tag="site:3"))),
        }
    for task in tasks:
        task.cancel()
    return {
        "core_without_readers": alone,
        "core_with_one_site": one_site,
        "core_with_all_too": followed,
        "rss_mb": round(rss_mb(pid)),
        "site": site.told(),
        "all": everyone.told(),
        **answers,
    }


async def share(pid: int, seconds: float) -> float:
    """Of one core."""
    began = cpu_s(pid)
    await asyncio.sleep(seconds)
    return round((cpu_s(pid) - began) / seconds, 3)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--nodes", type=int, default=40)
    asked.add_argument("--cameras", type=int, default=50, help="of each node")
    asked.add_argument("--seconds", type=float, default=30.0)
    given = asked.parse_args()
    context = multiprocessing.get_context("spawn")
    ready: multiprocessing.Queue[str] = context.Queue()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "watch.toml").write_text("")
        shared = f"sqlite:///{folder / 'shared.db'}"
        (folder / "fleet.toml").write_text(f'config = "watch.toml"\nstore = "{shared}"\n')
        nodes = context.Process(target=serve_nodes, args=(folder, given, ready), daemon=True)
        nodes.start()
        ready.get(timeout=600)
        api = context.Process(target=serve_fleet, args=(folder, ready), daemon=True)
        api.start()
        url = ready.get(timeout=120)
        assert api.pid is not None
        try:
            found = asyncio.run(measure(url, api.pid, given.seconds))
        finally:
            for process in (api, nodes):
                process.kill()
    print(json.dumps({"nodes": given.nodes, "cameras": given.nodes * given.cameras, **found}))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path.cwd()))
    main()
