"""The real coordinator, fake nodes: many cameras on many nodes that fail and come back.

    python -m benchmarks.cluster.simulation [--cameras 10000] [--nodes 400] [--minutes 60]

Nodes obey after a report (every two seconds) and fail at random, one by one and once a tenth of
them together. Told are moves against the least possible, how long a camera is without a node, the
time and memory of a decision.
"""

import argparse
import json
import random
import time
import tracemalloc
from collections import Counter

from monitor.cluster.coordinator import Coordinator
from monitor.cluster.placement import Demand
from monitor.cluster.reports import NodeReport

STEP_S = 2.0
DOWN_S = (30.0, 600.0)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--cameras", type=int, default=10_000)
    asked.add_argument("--nodes", type=int, default=400)
    asked.add_argument("--minutes", type=float, default=60.0)
    asked.add_argument("--failures", type=int, default=60, help="single ones, over the time")
    asked.add_argument("--spare", type=float, default=1.3, help="capacity over demand")
    asked.add_argument("--seed", type=int, default=0)
    print(json.dumps(simulate(asked.parse_args()), indent=1))


class World:
    """Fake nodes, and what becomes of every camera."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.chance = chance = random.Random(asked.seed)
        sites = [f"site:{i}" for i in range(20)]
        costs = [chance.choice([1000, 2000, 2000, 5000]) for _ in range(asked.cameras)]
        self.cameras = [
            Demand(
                f"cam{i:05}",
                cost,
                chance.choice([0, 0, 0, 1, 2]),
                frozenset({chance.choice(sites)}) if i % 4 == 0 else frozenset(),
            )
            for i, cost in enumerate(costs)
        ]
        capacity = int(asked.spare * sum(costs) / asked.nodes)
        self.nodes = {
            f"node{i:03}": (
                int(capacity * chance.choice([0.7, 1.0, 1.3])),
                frozenset({sites[i % 20]}),
            )
            for i in range(asked.nodes)
        }
        self.running = dict.fromkeys(self.nodes, frozenset[str]())
        self.down: dict[str, float] = {}
        self.without_s: dict[str, float] = {}
        self.gaps: list[float] = []
        self.told: Counter[str] = Counter()
        self.hearing_s = 0.0

    def fall(self, nodes: list[str], coordinator: Coordinator, now_s: float) -> None:
        """They are gone, for a time."""
        for node in nodes:
            if node not in self.down:
                self.down[node] = now_s + self.chance.uniform(*DOWN_S)
                own = sum(at == node for at in coordinator.where.values())
                self.told["failures"] += 1
                self.told["cameras_of_failed"] += own
                self.running[node] = frozenset()

    def rise(self, now_s: float) -> None:
        """Those whose time is over are back."""
        for node in [n for n, until_s in self.down.items() if until_s <= now_s]:
            del self.down[node]
            self.told["returns"] += 1

    def report(self, coordinator: Coordinator, now_s: float) -> None:
        """All nodes that are up tell, and do what they are told."""
        began = time.perf_counter()
        for node, (can, tags) in self.nodes.items():
            if node in self.down:
                continue
            report = NodeReport(node, can, tags, "1", 0, "", self.running[node], "running")
            order = coordinator.hear(report, now_s)
            if order.cameras is not None:
                self.running[node] = order.cameras
        self.hearing_s += time.perf_counter() - began

    def look(self, now_s: float) -> None:
        """Count how long each camera is without a node."""
        watched = {c for n, held in self.running.items() if n not in self.down for c in held}
        for camera in self.cameras:
            name = camera.camera
            if name not in watched:
                self.without_s.setdefault(name, now_s)
            elif name in self.without_s:
                self.gaps.append(now_s - self.without_s.pop(name))


def simulate(asked: argparse.Namespace) -> dict[str, object]:
    world = World(asked)
    memory_mb = memory(world.cameras, world.nodes)
    coordinator = Coordinator(world.cameras, version="1")
    steps = int(asked.minutes * 60 / STEP_S)
    falls = Counter(world.chance.randrange(60, steps) for _ in range(asked.failures))
    now_s = 0.0
    for step in range(steps):
        now_s = step * STEP_S
        falling = world.chance.sample(list(world.nodes), falls[step])
        if step == steps // 2:
            falling += world.chance.sample(list(world.nodes), asked.nodes // 10)
        world.fall(falling, coordinator, now_s)
        world.rise(now_s)
        world.report(coordinator, now_s)
        coordinator.decide(now_s)
        if now_s > 20:  # the first reports are being waited for
            world.look(now_s)
    status = coordinator.status(now_s)
    gaps = sorted(world.gaps)
    least = world.told["cameras_of_failed"]
    return {
        "cameras": asked.cameras,
        "nodes": asked.nodes,
        "minutes": asked.minutes,
        **world.told,
        "waiting_at_end": len(status.waiting),
        "moves": coordinator.moves,
        "moves_per_camera_of_failed": round(coordinator.moves / max(1, least), 3),
        "gap_s_p50": gaps[len(gaps) // 2] if gaps else None,
        "gap_s_p90": gaps[int(len(gaps) * 0.9)] if gaps else None,
        "gap_s_longest": gaps[-1] if gaps else None,
        "decisions": status.decisions,
        "slowest_decision_ms": round(1e3 * status.slowest_s, 1),
        "report_ms": round(1e3 * world.hearing_s / (steps * asked.nodes), 4),
        "memory_mb": round(memory_mb, 1),
    }


def memory(cameras: list[Demand], nodes: dict[str, tuple[int, frozenset[str]]]) -> float:
    """Of a coordinator after its first decision, with the last reports; the cameras are not in."""
    tracemalloc.start()
    coordinator = Coordinator(cameras, version="1")
    for now_s in (0.0, 12.0):
        for node, (can, tags) in nodes.items():
            coordinator.hear(NodeReport(node, can, tags, "1"), now_s)
        coordinator.decide(now_s)
    current, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return current / 1e6


if __name__ == "__main__":
    main()
