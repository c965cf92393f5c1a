"""Which nodes are there, and how far they are to be trusted: hysteresis against flapping.

Time is given with every call, in seconds of any steady clock.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from monitor.cluster.placement import Offer, Takes
from monitor.cluster.reports import NodeReport, NodeState

HOUR_S = 3600.0
SKEW_S = 5.0  # of a node's clock; NTP keeps it under a tenth


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the coordinator waits for what."""

    gather_s: float = 10.0  # for reports, before a new coordinator decides anything
    lost_s: float = 10.0  # five reports missed: its cameras go elsewhere
    settle_s: float = 60.0  # a node that came back is filled up only then
    longest_settle_s: float = 1800.0  # doubled with every loss within the hour
    unsteady_losses: int = 3  # within the hour; from then on it gets nothing before it has settled
    stay_s: float = 300.0  # a camera is not moved again for balance before that
    handover_s: float = 20.0  # the next node waits so long for the last one to let go
    failed_s: float = 60.0  # that an engine may take to start


@dataclass(slots=True)
class Member:
    """One node and its past."""

    report: NodeReport
    heard_s: float
    since_s: float  # there without a break
    lost: bool = False
    first: bool = True  # never lost yet
    draining: bool = False
    refused: str = ""  # why it may not take part
    ill_since_s: float | None = None  # its engine does not run
    skew_s: float = 0.0
    losses: deque[float] = field(default_factory=deque)


class Membership:
    """All nodes that were ever heard of."""

    def __init__(self, version: str, patience: Patience) -> None:
        self.members: dict[str, Member] = {}
        self._version = version
        self._patience = patience

    def hear(self, report: NodeReport, now_s: float, wall_s: float) -> Member:
        """Take a report."""
        member = self.members.get(report.node)
        if member is None:
            member = Member(report, now_s, now_s, draining=report.draining)
            self.members[report.node] = member
        if member.lost:
            member.lost, member.first, member.since_s = False, False, now_s
        member.report, member.heard_s = report, now_s
        member.skew_s = report.wall_s - wall_s if report.wall_s else 0.0
        member.refused = ""
        if report.version != self._version:
            member.refused = f"has oddwatch {report.version or '?'}, expected {self._version}"
        self._judge_engine(member, now_s)
        return member

    def look(self, now_s: float) -> list[str]:
        """Nodes that are lost from now on."""
        gone = []
        for name, member in self.members.items():
            while member.losses and now_s - member.losses[0] > HOUR_S:
                member.losses.popleft()
            silent = now_s - member.heard_s > self._patience.lost_s
            if silent and not member.lost:
                member.lost = True
                member.losses.append(now_s)
                gone.append(name)
        return gone

    def state(self, name: str, now_s: float) -> NodeState:
        """How a node is."""
        member, patience = self.members[name], self._patience
        ill_s = 0.0 if member.ill_since_s is None else now_s - member.ill_since_s
        faults: dict[NodeState, bool] = {
            "lost": member.lost,
            "refused": bool(member.refused),
            "failed": ill_s > patience.failed_s,
            "draining": member.draining,
            "unmeasured": member.report.capacity <= 0,
        }
        for state, holds in faults.items():
            if holds:
                return state
        if member.first or now_s - member.since_s >= self._settle_s(member):
            return "up"
        return "unsteady" if len(member.losses) >= patience.unsteady_losses else "settling"

    def offers(self, now_s: float) -> Iterator[Offer]:
        """The nodes that have or take cameras."""
        takes: dict[NodeState, Takes] = {
            "up": "open", "settling": "spare", "unsteady": "none", "draining": "none"
        }  # fmt: skip
        for name, member in self.members.items():
            state = self.state(name, now_s)
            if state in takes:
                tags = member.report.tags
                yield Offer(name, member.report.capacity, tags, takes[state])

    def failed(self, now_s: float) -> Iterator[Offer]:
        """The nodes that would have cameras if their engine ran."""
        for name, member in self.members.items():
            if self.state(name, now_s) == "failed":
                yield Offer(name, member.report.capacity, member.report.tags, "none")

    def warnings(self, member: Member) -> Iterator[str]:
        """What a person should know of it."""
        if abs(member.skew_s) > SKEW_S:
            way = "ahead" if member.skew_s > 0 else "behind"
            yield (
                f"its clock is {abs(member.skew_s):.0f} s {way}: its events carry wrong times; "
                "set it by NTP"
            )
        if member.refused:
            yield f"{member.refused}; it is given no cameras"
        if member.report.text:
            yield member.report.text

    def _judge_engine(self, member: Member, now_s: float) -> None:
        """One that failed so long that its cameras went returns as a node that was lost does."""
        since_s, engine = member.ill_since_s, member.report.engine
        if engine == "failed":
            member.ill_since_s = now_s if since_s is None else since_s
        elif since_s is not None and engine != "starting":  # which may be the next failure
            if now_s - since_s > self._patience.failed_s:
                member.first, member.since_s = False, now_s
                member.losses.append(now_s)
            member.ill_since_s = None

    def _settle_s(self, member: Member) -> float:
        doublings = max(0, len(member.losses) - 1)
        return min(self._patience.settle_s * 2.0**doublings, self._patience.longest_settle_s)
