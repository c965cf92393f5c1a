"""Assigns cameras to nodes over time: reports in, orders out. No Ray, no clock, no disk of its own.

What it knows of the present it has from the nodes' reports, so one that starts anew goes on where
the last one stopped.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import inf

from monitor.cluster.balancing import balance
from monitor.cluster.membership import Member, Membership, Patience
from monitor.cluster.placement import Demand, Offer, Plan, place
from monitor.cluster.reports import FleetStatus, NodeReport, NodeStatus, Order
from monitor.errors import UsageError

PATIENCE = Patience()
AGAIN_S = 30.0  # without news: what was moved of late may be moved by then
EMPTY = Plan({}, {})


class Coordinator:
    """Call `hear` with every report and `decide` about once a second, from one thread."""

    def __init__(
        self,
        demands: Iterable[Demand],
        *,
        version: str,
        digest: str = "",
        generation: int = 1,
        patience: Patience = PATIENCE,
    ) -> None:
        self._demands = {demand.camera: demand for demand in demands}
        self._digest = digest
        self._patience = patience
        self._members = Membership(version, patience)
        self._began_s: float | None = None
        self._plan = EMPTY
        self._seen: dict[str, str] = {}  # where cameras ran when it began
        self._before: dict[str, str] = {}  # the node before the present one
        self._moved_s: dict[str, float] = {}
        self._balanced_s: dict[str, float] = {}
        self._decided_s = -inf
        self._leaving: dict[str, str] = {}  # moved; the node that may still run it
        self._of: dict[str, frozenset[str]] = {}  # `where`, the other way round
        self._turn = ""  # the node that changes its configuration
        self._offers: tuple[Offer, ...] | None = None
        self._decided = False
        self.generation = generation
        self.moves = self.decisions = 0
        self.slowest_s = 0.0

    @property
    def where(self) -> Mapping[str, str]:
        """Camera to node, as decided last."""
        return self._plan.where

    def hear(self, report: NodeReport, now_s: float, wall_s: float = 0.0) -> Order:
        """A node's report; what it is to do."""
        self._began_s = now_s if self._began_s is None else self._began_s
        if report.generation > self.generation:
            text = (
                f"coordinator {self.generation} is superseded by {report.generation}; "
                "it gives no more orders to this node"
            )
            return Order(self.generation, None, refused=text)
        member = self._members.hear(report, now_s, wall_s)
        if not self._decided:
            for camera in report.running:
                self._seen.setdefault(camera, report.node)
            return Order(self.generation, None)
        if member.refused:
            return Order(self.generation, frozenset(), refused=member.refused)
        return Order(
            self.generation,
            self._cameras_for(report.node, now_s),
            self._digest_for(member),
            draining=member.draining,
        )

    def decide(self, now_s: float) -> Plan:
        """Look at who is there; moves only what has to move."""
        if self._began_s is None or now_s - self._began_s < self._patience.gather_s:
            return self._plan
        began = time.thread_time()
        self._members.look(now_s)
        offers = tuple(self._members.offers(now_s))
        if offers != self._offers or now_s - self._decided_s >= AGAIN_S:
            self._decide(offers, now_s)
            self.slowest_s = max(self.slowest_s, time.thread_time() - began)
        return self._plan

    def drain(self, node: str, *, on: bool = True) -> None:
        """Take its cameras away as others have room, and give it none.

        Raises:
            UsageError: There is no such node.
        """
        members = self._members.members
        if node not in members:
            known = ", ".join(sorted(members)) or "none yet"
            raise UsageError(f"no node {node!r} was ever heard of; known are: {known}")
        members[node].draining = on

    def status(self, now_s: float) -> FleetStatus:
        """How all of it is."""
        loads = dict.fromkeys(self._members.members, 0)
        counts = dict.fromkeys(self._members.members, 0)
        for camera, node in self._plan.where.items():
            loads[node] += self._demands[camera].cost
            counts[node] += 1
        nodes = [
            self._node_status(name, loads[name], counts[name], now_s)
            for name in sorted(self._members.members)
        ]
        return FleetStatus(
            self.generation,
            self._digest,
            not self._decided,
            tuple(nodes),
            dict(self._plan.where),
            dict(self._plan.waiting),
            self.moves,
            self.decisions,
            self.slowest_s,
        )

    def _decide(self, offers: tuple[Offer, ...], now_s: float) -> None:
        """Nodes have come, gone or changed."""
        old = self._running_now()
        failed = self._members.failed(now_s)
        plan = place(self._demands.values(), offers, old, failed)
        moves = balance(
            self._demands.values(),
            offers,
            plan.where,
            lambda camera: now_s - self._balanced_s.get(camera, -inf) >= self._patience.stay_s,
            lambda camera, node: self._before.get(camera) == node,
        )
        where = {**plan.where, **moves}
        for camera in moves:
            self._balanced_s[camera] = now_s
        self._note_moves(old, where, now_s)
        self._plan = Plan(where, plan.waiting)
        of = defaultdict(list)
        for camera, node in where.items():
            of[node].append(camera)
        self._of = {node: frozenset(cameras) for node, cameras in of.items()}
        self._offers, self._decided, self._decided_s = offers, True, now_s
        self.decisions += 1

    def _running_now(self) -> Mapping[str, str]:
        """Where cameras are; those that wait may still run on a node that was cut off."""
        if not self._decided:
            return self._seen
        found = dict(self._plan.where)
        for name, member in self._members.members.items():
            for camera in member.report.running if not member.lost else ():
                if camera in self._plan.waiting:
                    found[camera] = name
        return found

    def _note_moves(self, old: Mapping[str, str], new: Mapping[str, str], now_s: float) -> None:
        for camera, node in new.items():
            last = old.get(camera) or self._before.get(camera)
            if last is not None and last != node:
                self._before[camera] = self._leaving[camera] = last
                self._moved_s[camera] = now_s
                self.moves += 1
        for camera, node in old.items():
            if camera not in new:
                self._before[camera] = node

    def _cameras_for(self, node: str, now_s: float) -> frozenset[str]:
        """Those that are its, but for what another one has not let go of yet."""
        own = self._of.get(node, frozenset())
        return own - {c for c in own & self._leaving.keys() if self._holds(c, now_s)}

    def _holds(self, camera: str, now_s: float) -> bool:
        """Whether the last node still runs it, and is waited for."""
        last = self._members.members.get(self._leaving[camera])
        late = now_s - self._moved_s[camera] > self._patience.handover_s
        if last is None or last.lost or late or camera not in last.report.running:
            del self._leaving[camera]
            return False
        return True

    def _digest_for(self, member: Member) -> str:
        """The newest configuration, to one node with cameras at a time."""
        report = member.report
        if report.digest in ("", self._digest) or not report.running:
            if self._turn == report.node and report.engine == "running":
                self._turn = ""
            return self._digest
        turn = self._members.members.get(self._turn)
        if turn is None or turn.lost or turn.refused:
            self._turn = report.node
        return self._digest if self._turn == report.node else report.digest

    def _node_status(self, name: str, load: int, cameras: int, now_s: float) -> NodeStatus:
        member = self._members.members[name]
        report = member.report
        return NodeStatus(
            name,
            self._members.state(name, now_s),
            cameras,
            load,
            report.capacity,
            tuple(sorted(report.tags)),
            now_s - member.heard_s,
            len(member.losses),
            report.version,
            report.digest == self._digest,
            report.url,
            report.unsent,
            tuple(self._members.warnings(member)),
        )
