"""What runs inside Ray: the coordinator, once, and an agent on every node. Thin, on purpose.

Assigning is in `coordinator`, a node's engine in `house` and `keeper`; here is only what carries
words between them.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import monitor
from monitor.cluster.bookshelf import take_book
from monitor.cluster.coordinator import Coordinator
from monitor.cluster.house import House
from monitor.cluster.membership import Patience
from monitor.cluster.ray_link import load_ray
from monitor.cluster.reports import FleetStatus, NodeReport
from monitor.cluster.settings import Book, NodeSettings
from monitor.cluster.telling import Telling

log = logging.getLogger(__name__)

COORDINATOR = "oddwatch-coordinator"
AGENT = "oddwatch-agent-"  # and the node's number
NODE_LABEL = "oddwatch-node"
EVERY_S = 2.0
PATIENT_S = 5.0  # for an answer of the coordinator
LOOK_S = 5.0  # for nodes that joined
BENCH_S = 600.0
UNMEASURED = "its capacity cannot be measured: give `capacity` in the fleet's configuration"


class CoordinatorActor:
    """Named and detached: there is one. It starts an agent on every node that it finds."""

    def __init__(self, generation: int) -> None:
        """Works by what `bookshelf` has of that generation, also where Ray starts it again."""
        book = self._book = take_book(generation)
        cluster = book.cluster
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._agents: dict[str, Any] = {}
        self._coordinator = Coordinator(
            book.demands(),
            version=monitor.__version__,
            digest=book.digest,
            generation=generation,
            patience=Patience(lost_s=cluster.lost_s, settle_s=cluster.settle_s),
        )
        threading.Thread(target=self._work, daemon=True).start()
        if cluster.store:
            telling = Telling(cluster.store, self.status, self._ending)
            threading.Thread(target=telling.work, daemon=True).start()

    def hear(self, report: NodeReport) -> Any:
        """A report; the order."""
        with self._lock:
            return self._coordinator.hear(report, time.monotonic(), time.time())

    def book(self) -> Book:
        """The configuration and the models."""
        return self._book

    def status(self) -> FleetStatus:
        """How all of it is."""
        with self._lock:
            return self._coordinator.status(time.monotonic())

    def drain(self, node: str, on: bool) -> str:  # noqa: FBT001
        """Why not, in one line; empty: it will be."""
        try:
            with self._lock:
                self._coordinator.drain(node, on=on)
        except ValueError as error:
            return str(error)
        return ""

    def generation(self) -> int:
        """Of this coordinator."""
        return self._coordinator.generation

    def pid(self) -> int:
        """Of its process."""
        return os.getpid()

    def end(self) -> None:
        """Give no more orders and start no more agents."""
        self._ending.set()

    def _work(self) -> None:
        looked_s = 0.0
        while not self._ending.wait(1.0):
            try:
                if time.monotonic() - looked_s > LOOK_S:
                    looked_s = time.monotonic()
                    self._find_nodes()
                with self._lock:
                    self._coordinator.decide(time.monotonic())
            except Exception:  # one bad moment of Ray must not end the coordinator
                log.exception("a decision failed")

    def _find_nodes(self) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        names: set[str] = set()
        nodes: Any = ray.nodes  # without types where Ray has them, unknown where it is absent
        for found in nodes():
            if not found["Alive"]:
                self._agents = {k: v for k, v in self._agents.items() if found["NodeID"] not in k}
                continue
            actor = f"{AGENT}{found['NodeID']}"
            labels = dict(found.get("Labels") or {})
            name = labels.get(NODE_LABEL) or found["NodeManagerHostname"]
            name = f"{name}-{found['NodeID'][:6]}" if name in names else name
            names.add(name)
            if actor in self._agents:
                continue
            tags = [f"{k}:{v}" for k, v in labels.items() if "/" not in k and k != NODE_LABEL]
            self._agents[actor] = (
                ray.remote(Agent)
                .options(
                    name=actor,
                    lifetime="detached",
                    get_if_exists=True,
                    num_cpus=0,
                    max_restarts=-1,
                    max_concurrency=2,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(found["NodeID"], soft=False),
                )
                .remote(name, self._settings_of(name, tags), str(self._book.cluster.folder))
            )

    def _settings_of(self, name: str, tags: list[str]) -> NodeSettings:
        cluster = self._book.cluster
        for node in cluster.node:
            if node.name == name:
                both = tuple(dict.fromkeys([*node.tags, *tags]))
                return node.model_copy(update={"tags": both})
        return NodeSettings(name=name, capacity=cluster.capacity, tags=tuple(tags))


class Agent:
    """One on each node: reports every two seconds, and does what the answer says."""

    def __init__(self, name: str, settings: NodeSettings, folder: str) -> None:
        self._settings = settings
        place = Path(folder).expanduser() / name
        self._house = House(place, name, settings.tags, _address())
        self._book: Book | None = None
        self._text = self._slow = ""
        self._measuring: threading.Thread | None = None
        self._ending = threading.Event()
        self._capacity = round(settings.capacity * 1000)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """End the engine of this node."""
        self._ending.set()
        self._thread.join(3 * PATIENT_S)
        self._house.stop()
        return True

    def pid(self) -> int:
        """Of its process."""
        return os.getpid()

    def _work(self) -> None:
        while not self._ending.wait(EVERY_S):
            try:
                self._round()
            except Exception as error:  # noqa: BLE001  the coordinator or Ray is gone; the engine goes on
                log.debug("no orders: %s", error)

    def _round(self) -> None:
        ray: Any = load_ray()
        coordinator = ray.get_actor(COORDINATOR, namespace="oddwatch")
        if self._book is None:
            self._book = ray.get(coordinator.book.remote(), timeout=10 * PATIENT_S)
        order = ray.get(coordinator.hear.remote(self._report()), timeout=PATIENT_S)
        if order.cameras is None or self._ending.is_set():
            self._text = order.refused
            return
        if order.digest and order.digest != self._book.digest:
            newer = ray.get(coordinator.book.remote(), timeout=10 * PATIENT_S)
            self._book = newer if newer.digest == order.digest else self._book
        try:
            self._house.apply(self._book, order.cameras, order.generation, draining=order.draining)
        except (OSError, subprocess.SubprocessError) as error:
            self._text = f"orders cannot be carried out: {error}"
        else:
            self._text = ""
            self._measure()

    def _report(self) -> NodeReport:
        house, state = self._house, self._house.state()
        told = self._text or self._slow or ("" if state is None else state.text)
        return NodeReport(
            self._settings.name,
            self._capacity,
            frozenset(self._settings.tags),
            monitor.__version__,
            house.generation,
            house.digest,
            house.cameras if state is None else house.cameras.union(state.watched),
            "none" if state is None else state.engine,
            time.time(),
            "" if state is None else state.url,
            told,
            0 if state is None else state.unsent,
            house.draining,
        )

    def _measure(self) -> None:
        """Capacity by `oddwatch bench`, once, beside the reports; till then none is given to it."""
        if self._capacity or self._measuring is not None:
            return
        self._measuring = threading.Thread(target=self._bench, daemon=True)
        self._measuring.start()

    def _bench(self) -> None:
        assert self._book is not None
        place = self._house.folder / "capacity.json"
        with contextlib.suppress(OSError, ValueError, KeyError):
            self._capacity = int(json.loads(place.read_text())["capacity"])
            return
        self._slow = "its capacity is being measured"
        capacity = measured(self._book, self._house.folder)
        if capacity:
            place.write_text(json.dumps({"capacity": capacity}))
        self._slow = "" if capacity else UNMEASURED
        self._capacity = capacity


def _address() -> str:
    """Of this machine, as Ray's other nodes reach it; empty: this is no Ray worker."""
    try:
        return str(load_ray().util.get_node_ip_address())
    except Exception:  # noqa: BLE001  it raises no kind of its own
        return ""


def measured(book: Book, folder: Path) -> int:
    """Scored frames in 1000 s that this machine carries with the first model; 0: it cannot tell."""
    path = next(iter(book.models), None)
    if path is None:
        return 0
    model = folder / f"bench{Path(path).suffix}"
    model.write_bytes(book.models[path])
    command = [sys.executable, "-m", "monitor", "bench", "--model", str(model)]
    try:
        found = subprocess.run(  # noqa: S603
            [*command, "--no-exports", "--rate", "2", "--json"],
            check=True, capture_output=True, timeout=BENCH_S,
        )  # fmt: skip
        cameras = max(speed["cameras"]["2"] for speed in json.loads(found.stdout)["speeds"])
    except (subprocess.SubprocessError, ValueError, KeyError):
        return 0
    finally:
        model.unlink(missing_ok=True)
    return int(cameras) * 2000
