"""The coordinator over time: loss, return, flapping, handing over, its own restart."""

from collections import Counter
from dataclasses import dataclass, field

import pytest

from monitor.cluster.coordinator import Coordinator
from monitor.cluster.placement import Demand
from monitor.cluster.reports import EngineState, NodeReport, Order
from monitor.errors import UsageError

CAMERAS = [Demand(f"cam{i:02}", 2000) for i in range(12)]


@dataclass
class Fleet:
    """Nodes that do at once what they are told, and a clock."""

    coordinator: Coordinator
    nodes: dict[str, frozenset[str]]
    dead: set[str] = field(default_factory=set)
    now_s: float = 0.0
    version: str = "1"
    digests: dict[str, str] = field(default_factory=dict)
    changes: int = 0
    doubled: int = 0
    skew_s: float = 0.0
    drained: set[str] = field(default_factory=set)
    engine: EngineState = "running"

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            for node in self.nodes:
                if node not in self.dead:
                    self.obey(node, self.coordinator.hear(self.report(node), self.now_s, 1e9))
            self.coordinator.decide(self.now_s)
            alive = [c for n, held in self.nodes.items() if n not in self.dead for c in held]
            self.doubled += len(alive) - len(set(alive))
            self.now_s += 2.0

    def report(self, node: str) -> NodeReport:
        return NodeReport(
            node, 20_000, frozenset(), self.version, 0, self.digests.get(node, ""),
            self.nodes[node], self.engine, 1e9 + self.skew_s, draining=node in self.drained,
        )  # fmt: skip

    def obey(self, node: str, order: Order) -> None:
        if order.cameras is None:
            return
        self.changes += order.cameras != self.nodes[node]
        self.nodes[node] = order.cameras
        self.digests[node] = order.digest
        (self.drained.add if order.draining else self.drained.discard)(node)

    @property
    def watched(self) -> Counter[str]:
        return Counter({n: len(held) for n, held in self.nodes.items() if n not in self.dead})


def fleet(**facts: object) -> Fleet:
    nodes = {name: frozenset[str]() for name in ("a", "b", "c")}
    return Fleet(Coordinator(CAMERAS, version="1", **facts), nodes)  # type: ignore[arg-type]


def test_twelve_cameras_on_three_nodes() -> None:
    told = fleet()
    told.run(20)
    assert told.watched == {"a": 4, "b": 4, "c": 4}


def test_a_lost_node_is_replaced_and_filled_once_when_it_returns() -> None:
    told = fleet()
    told.run(20)
    own = told.nodes["b"]
    told.dead.add("b")
    told.run(14)
    assert told.watched == {"a": 6, "c": 6}
    assert told.coordinator.moves == 4
    told.nodes["b"] = frozenset()
    told.dead.clear()
    told.run(50)
    assert told.nodes["b"] == frozenset()  # not before it has settled
    told.run(400)
    assert told.nodes["b"] == own
    assert told.coordinator.moves == 8
    assert told.doubled == 0


def test_a_flapping_node_moves_nothing_after_its_first_loss() -> None:
    told = fleet()
    told.run(20)
    for _ in range(10):
        told.dead.add("b")
        told.run(20)
        told.dead.clear()
        told.run(20)
    assert told.coordinator.moves == 4
    assert told.coordinator.status(told.now_s).nodes[1].state == "unsteady"


def test_a_new_coordinator_takes_over_what_runs() -> None:
    told = fleet()
    told.run(20)
    held, told.changes = dict(told.nodes), 0
    told.coordinator = Coordinator(CAMERAS, version="1", generation=2)
    told.run(60)
    assert told.nodes == held
    assert told.changes == 0


def test_a_node_that_obeyed_a_later_coordinator_is_told_nothing_by_this_one() -> None:
    coordinator = Coordinator(CAMERAS, version="1", generation=3)
    order = coordinator.hear(NodeReport("a", 9000, version="1", generation=4), 0.0)
    assert order.cameras is None
    assert "superseded by 4" in order.refused


def test_a_camera_is_given_on_only_when_the_last_node_let_go() -> None:
    told = fleet()
    told.run(20)
    told.coordinator.drain("a")
    told.run(4)
    stubborn = told.report("a")
    order = told.coordinator.hear(stubborn, told.now_s)
    assert order.cameras == frozenset()
    assert told.doubled == 0
    told.run(10)
    assert told.watched == {"a": 0, "b": 6, "c": 6}


def test_drained_and_taken_back() -> None:
    told = fleet()
    told.run(20)
    told.coordinator.drain("c")
    told.run(6)
    assert told.nodes["c"] == frozenset()
    told.coordinator.drain("c", on=False)
    told.run(10)
    assert told.watched["c"] == 4
    with pytest.raises(UsageError, match="no node 'd' was ever heard of; known are: a, b, c"):
        told.coordinator.drain("d")


def test_a_drained_node_stays_so_under_a_new_coordinator() -> None:
    told = fleet()
    told.run(20)
    told.coordinator.drain("a")
    told.run(10)
    assert told.drained == {"a"}
    told.coordinator = Coordinator(CAMERAS, version="1", generation=2)
    told.run(30)
    assert told.watched == {"a": 0, "b": 6, "c": 6}
    told.coordinator.drain("a", on=False)
    told.run(400)
    assert told.drained == set()
    assert told.watched["a"] > 0


def test_another_version_gets_no_cameras_and_says_so() -> None:
    told = fleet()
    told.version = "2"
    told.run(20)
    assert told.watched == {"a": 0, "b": 0, "c": 0}
    status = told.coordinator.status(told.now_s)
    assert status.nodes[0].state == "refused"
    assert status.nodes[0].warnings == ("has oddwatch 2, expected 1; it is given no cameras",)
    assert set(status.waiting.values()) == {"no node is there"}


def test_a_wrong_clock_is_said_and_nothing_else() -> None:
    told = fleet()
    told.skew_s = -73.0
    told.run(20)
    status = told.coordinator.status(told.now_s)
    assert status.nodes[0].warnings[0].startswith("its clock is 73 s behind")
    assert sum(told.watched.values()) == 12


def test_an_engine_that_fails_is_named_and_returns_as_a_lost_node_does() -> None:
    told = fleet()
    told.nodes = {"a": frozenset()}
    told.run(20)
    told.engine = "failed"
    told.run(64)
    status = told.coordinator.status(told.now_s)
    assert status.nodes[0].state == "failed"
    assert set(status.waiting.values()) == {"the engine fails on a"}
    told.engine = "starting"  # again, which may fail again
    told.run(10)
    assert told.coordinator.status(told.now_s).nodes[0].state == "failed"
    told.engine = "running"
    told.run(4)
    status = told.coordinator.status(told.now_s)
    assert (status.nodes[0].state, status.nodes[0].losses) == ("settling", 1)
    assert len(status.where) == 10


def test_a_new_configuration_reaches_one_node_at_a_time() -> None:
    told = fleet()
    told.digests = dict.fromkeys("abc", "old")
    told.nodes = {n: frozenset({f"cam0{i}"}) for i, n in enumerate("abc")}
    told.coordinator = Coordinator(CAMERAS, version="1", digest="new")
    seen = set()
    for _ in range(20):
        told.run(2)
        seen.add(tuple(told.digests[n] for n in "abc"))
    assert told.digests == dict.fromkeys("abc", "new")
    assert ("new", "old", "old") in seen
    assert not any(s.count("new") == 0 and s.count("old") < 3 for s in seen)
