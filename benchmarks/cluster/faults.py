"""A fleet on this machine: Ray's test cluster, a real PostgreSQL, real RTSP, a null scorer; faults.

    python -m benchmarks.cluster.faults [--nodes 3] [--cameras 12] [--seconds 60] [--only NAME]

Each node is a raylet with an agent, a keeper and an engine of its own. Told are the seconds until
the cameras of a killed node are watched elsewhere, moves, and events: how many revisions the nodes
have, how many of them the shared database lacks, how many it has that no node has, and how many
events two nodes told of. Every camera shows an event each 30 s, so that a longer gap is one lost.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa

os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  its name
os.environ["PYTHONPATH"] = str(Path.cwd())

import ray
from ray.cluster_utils import Cluster

from benchmarks.live.scenes import loops
from benchmarks.live.servers import RtspServer
from monitor.cluster.actors import COORDINATOR
from monitor.cluster.fleet import Fleet
from monitor.cluster.house import House
from monitor.cluster.ray_link import NAMESPACE, ClusterError
from monitor.cluster.settings import Book, load_book
from monitor.store import Store

HEAD = {"num_cpus": 0, "labels": {"oddwatch-node": "head"}, "include_dashboard": False}
NULL = (sys.executable, "-m", "benchmarks.live.null_engine")
MODEL_BYTES = 5_000_000  # of no use to a null scorer, but as large as a model
NOBODY = 65_534  # PostgreSQL refuses to run as root
PG = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class Postgres:
    """A server of its own, that can be stopped and started."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        os.chown(self.folder, NOBODY if os.getuid() == 0 else os.getuid(), -1)
        self._run("initdb", "-A", "trust", "-U", "me", "--no-sync")
        self.url = f"postgresql://me@/postgres?host={self.folder}"

    def start(self) -> None:
        """Returns when it answers."""
        options = f"-c listen_addresses='' -k {self.folder}"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """At once, as in a crash."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def _run(self, program: str, *words: str) -> None:
        user = {"user": NOBODY} if os.getuid() == 0 else {}
        command = [str(PG[-1] / program), "-D", str(self.folder / "data"), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **user)


def patiently(start: Callable[[], Any]) -> Any:
    """Ray gives a node thirty seconds to start, which a busy machine takes."""
    for _ in range(5):
        try:
            return start()
        except Exception as error:  # noqa: BLE001  it raises no kind of its own
            print(f"Ray did not start: {error}", file=sys.stderr)
    raise SystemExit("Ray's test cluster does not start here")


class Trial:
    """The fleet, and what can be done to it."""

    def __init__(self, asked: argparse.Namespace, folder: Path, streams: RtspServer) -> None:
        self.asked, self.folder = asked, folder
        self.names = [f"n{i}" for i in range(asked.nodes)]
        self.postgres = Postgres()
        self.postgres.start()
        self.gather()
        self.book = self._book(streams)

    def gather(self) -> None:
        """A head, the nodes, and a connection."""
        self.cluster = patiently(
            lambda: Cluster(
                initialize_head=True,
                head_node_args=HEAD,
            )
        )
        self.nodes = {name: self.join(name) for name in self.names}
        ray.init(address=self.cluster.address, namespace=NAMESPACE, log_to_driver=False)
        self.fleet = Fleet(ray)

    def _book(self, streams: RtspServer) -> Book:
        cameras = "".join(
            f'[[camera]]\nname = "cam{i:02}"\nurl = "{streams.url("/eventful")}"\n'
            f'model = "null.pt"\nfps = 5.0\nwidth = 320\ngate = false\n\n'
            for i in range(self.asked.cameras)
        )
        (self.folder / "watch.toml").write_text(f'[engine]\ncapture = "thread"\n\n{cameras}')
        listed = "".join(f'[[node]]\nname = "{n}"\ncapacity = 40.0\n' for n in self.names)
        listed += '[[node]]\nname = "head"\ncapacity = 0.001\n'  # carries no camera
        (self.folder / "fleet.toml").write_text(
            f'config = "watch.toml"\nfolder = "{self.folder}/nodes"\n'
            f'store = "{self.postgres.url}"\nsettle_s = 20.0\n{listed}'
        )
        book = load_book(self.folder / "fleet.toml", NULL)
        return replace(book, models={"null.pt": os.urandom(MODEL_BYTES)})

    def join(self, name: str) -> Any:
        """A node of this name."""
        labels = {"oddwatch-node": name}
        return patiently(lambda: self.cluster.add_node(num_cpus=1, labels=labels))

    def end(self) -> None:
        """All of it."""
        with contextlib.suppress(ClusterError):
            self.fleet.down()
        ray.shutdown()
        self.cluster.shutdown()
        for name in (*self.names, "head"):
            self.house(name).stop()
        self.postgres.stop()
        shutil.rmtree(self.postgres.folder, ignore_errors=True)

    def house(self, name: str) -> House:
        """Its folder."""
        return House(self.folder / "nodes" / name, name)

    def watched(self) -> dict[str, set[str]]:
        """By node: cameras whose engine has scored frames of them within two seconds."""
        found: dict[str, set[str]] = {}
        for name in self.names:
            state = self.house(name).state()
            if state is None or not state.url:
                continue
            try:
                told = httpx.get(f"{state.url}/api/cameras", timeout=5).json()
            except (httpx.HTTPError, ValueError):
                continue
            found[name] = {c["name"] for c in told if c["state"] in ("running", "degraded")}
        return found

    def count(self) -> int:
        """Cameras that any node watches."""
        return len({c for held in self.watched().values() for c in held})

    def wait(self, until: Callable[[], bool], within_s: float) -> float:
        """Seconds that it took; -1: it did not come."""
        began = time.monotonic()
        while time.monotonic() - began < within_s:
            if until():
                return round(time.monotonic() - began, 1)
            time.sleep(0.5)
        return -1.0

    def kill(self, name: str) -> None:
        """The machine: raylet with its agent, which would start them again, keeper and engine."""
        house = self.house(name)
        state = house.state()
        node = self.nodes.pop(name)
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        others = (house.keeper_pid(), 0 if state is None else state.engine_pid)
        victims = [raylet, *raylet.children(recursive=True)]
        victims += [psutil.Process(pid) for pid in others if pid]
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        self.cluster.remove_node(node, allow_graceful=False)

    def events(self) -> dict[str, int]:
        """Alerts of nodes in their last revision, against what the shared database has."""
        own: dict[str, int] = {}
        for name in self.names:
            place = self.house(name).folder / "out" / "events.db"
            if place.exists():
                with sqlite3.connect(f"file:{place}?mode=ro", uri=True) as connection:
                    own |= dict(connection.execute("SELECT id, revision FROM alerts").fetchall())
        rows = self.shared("SELECT id, revision FROM alerts")
        there = {row[0]: row[1] for row in rows}
        return {
            "of_nodes": len(own),
            "shared": len(there),
            "missing": len(own.keys() - there.keys()),
            "behind": sum(there[i] < revision for i, revision in own.items() if i in there),
            "unknown": len(there.keys() - own.keys()),
            "twice": len(self.shared(TWICE)),
        }

    def shared(self, query: str, **values: object) -> list[Any]:
        """Rows of the shared database."""
        with Store(self.postgres.url) as store, store.database.read() as connection:
            return list(connection.execute(sa.text(query), values).all())

    def longest_gap_s(self, since: datetime) -> float:
        """Between two alerts of one camera, since then; a loop of theirs has 30 s."""
        began: dict[str, list[datetime]] = defaultdict(list)
        for camera, at in self.shared(STARTS, since=since):
            began[camera].append(at)
        gaps = [b - a for moments in began.values() for a, b in pairwise(moments)]
        return round(max(gaps, default=timedelta()).total_seconds(), 1)

    def engines(self) -> dict[str, int]:
        """Their processes."""
        return {n: s.engine_pid for n in self.names if (s := self.house(n).state())}

    def caught_up_s(self) -> float:
        """Until the shared database has all that the nodes have."""
        return self.wait(lambda: not self.events()["missing"] + self.events()["behind"], 120)

    def least_watched(self, seconds: float) -> int:
        """The fewest cameras watched at any moment of so long."""
        until_s = time.monotonic() + seconds
        least = self.asked.cameras
        while time.monotonic() < until_s:
            least = min(least, self.count())
            time.sleep(1)
        return least

    def well(self) -> bool:
        """Whether every camera has a node and every node is heard."""
        try:
            found = self.fleet.status()
        except ClusterError:
            return False
        heard = {node.node for node in found.nodes if node.state in ("up", "settling")}
        return heard >= set(self.names) and len(found.where) == self.asked.cameras


STARTS = "SELECT source, started_at FROM alerts WHERE started_at > :since ORDER BY 1, 2"
TWICE = """SELECT a.id FROM alerts a JOIN alerts b ON a.source = b.source AND a.id < b.id
AND a.started_at < b.ended_at AND b.started_at < a.ended_at"""  # one event, told by two nodes


def starts(trial: Trial) -> dict[str, object]:
    trial.fleet.up(trial.book)
    took_s = trial.wait(lambda: trial.count() == trial.asked.cameras, 180)
    return {"all_watched_s": took_s, "by_node": {n: len(c) for n, c in trial.watched().items()}}


def node_lost(trial: Trial) -> dict[str, object]:
    moves = trial.fleet.status().moves
    name = trial.names[-1]
    trial.kill(name)
    lost_s = trial.wait(lambda: trial.count() == trial.asked.cameras, 120)
    after = trial.fleet.status().moves
    trial.nodes[name] = trial.join(name)
    filled_s = trial.wait(lambda: bool(trial.watched().get(name)), 180)
    time.sleep(trial.asked.seconds)
    return {
        "watched_elsewhere_s": lost_s,
        "moves_at_loss": after - moves,
        "filled_again_s": filled_s,
        "moves_at_return": trial.fleet.status().moves - after,
        "watched": trial.count(),
    }


def store_away(trial: Trial) -> dict[str, object]:
    began, engines = datetime.now(UTC), trial.engines()
    trial.postgres.stop()
    least = trial.least_watched(trial.asked.seconds)
    said = {warning for node in trial.fleet.status().nodes for warning in node.warnings}
    trial.postgres.start()
    return {
        "least_watched": least,
        "same_engines": trial.engines() == engines,
        "said": sorted(said)[:1],
        "caught_up_s": trial.caught_up_s(),
        "longest_gap_s": trial.longest_gap_s(began),
        **trial.events(),
    }


def coordinator_killed(trial: Trial) -> dict[str, object]:
    engines = trial.engines()
    actor = ray.get_actor(COORDINATOR, namespace=NAMESPACE)
    os.kill(ray.get(actor.pid.remote()), signal.SIGKILL)
    again_s = trial.wait(trial.well, 120)
    return {
        "again_s": again_s,
        "moves": trial.fleet.status().moves,
        "same_engines": trial.engines() == engines,
        "watched": trial.count(),
    }


def drained(trial: Trial) -> dict[str, object]:
    name = trial.names[0]
    moves = trial.fleet.status().moves
    trial.fleet.drain(name)
    empty_s = trial.wait(lambda: not trial.house(name).cameras, 60)
    watched_s = trial.wait(
        lambda: trial.count() == trial.asked.cameras and not trial.watched().get(name), 60
    )
    after = trial.fleet.status().moves
    trial.fleet.drain(name, on=False)
    filled_s = trial.wait(lambda: bool(trial.watched().get(name)), 120)
    trial.wait(lambda: trial.count() == trial.asked.cameras, 60)
    return {
        "empty_s": empty_s,
        "all_watched_s": round(empty_s + watched_s, 1),
        "moves": after - moves,
        "filled_again_s": filled_s,
    }


def head_away(trial: Trial) -> dict[str, object]:
    """GCS, its raylet and the coordinator with it; then a new head, and `cluster up` once more."""
    began, engines = datetime.now(UTC), trial.engines()
    ray.shutdown()
    trial.cluster.remove_node(trial.cluster.head_node, allow_graceful=False)
    least = trial.least_watched(trial.asked.seconds)
    away = {"least_watched": least, "same_engines": trial.engines() == engines}
    away["caught_up_without_s"] = trial.caught_up_s()
    for node in list(trial.nodes.values()):  # machines whose Ray is started again
        trial.cluster.remove_node(node, allow_graceful=False)
    trial.gather()
    trial.fleet.up(trial.book)
    back_s = trial.wait(trial.well, 120)
    least = trial.least_watched(20)
    return away | {
        "back_s": back_s,
        "moves_at_return": trial.fleet.status().moves,
        "least_watched_at_return": least,
        "same_engines_at_return": trial.engines() == engines,
        "caught_up_s": trial.caught_up_s(),
        "longest_gap_s": trial.longest_gap_s(began),
        **trial.events(),
    }


ALL = (starts, node_lost, store_away, coordinator_killed, drained, head_away)
STEPS = {f.__name__: f for f in ALL}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--nodes", type=int, default=3)
    asked.add_argument("--cameras", type=int, default=12)
    asked.add_argument("--seconds", type=float, default=60.0, help="that a fault lasts")
    asked.add_argument("--only", nargs="*", default=list(STEPS))
    given = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fleet-"))
    streams = loops(folder / "streams")
    with RtspServer(mounts={"/eventful": streams["eventful"]}) as server:
        trial = Trial(given, folder, server)
        try:
            for name in given.only:
                print(json.dumps({name: STEPS[name](trial)}), flush=True)
        finally:
            trial.end()


if __name__ == "__main__":
    main()
