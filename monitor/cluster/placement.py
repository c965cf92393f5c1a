"""Which camera is watched on which node: a pure function of what is wanted, offered and running.

Costs and capacities are whole thousandths of a scored frame per second, so that sums are exact.
Knows nothing of time, of Ray, or of why a node is not there.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Takes = Literal["open", "spare", "none"]
MOST_NAMED = 3  # nodes in a line
RANK: dict[Takes, int] = {"open": 0, "spare": 1}


@dataclass(frozen=True, slots=True)
class Demand:
    """A camera that wants to be watched."""

    camera: str
    cost: int  # thousandths of a scored frame per second
    priority: int = 0  # higher: waits later
    needs: frozenset[str] = frozenset()  # tags that a node must have, all of them


@dataclass(frozen=True, slots=True)
class Offer:
    """A node that is there."""

    node: str
    capacity: int  # thousandths of a scored frame per second
    tags: frozenset[str] = frozenset()
    takes: Takes = "open"  # spare: only what fits on no open one; none: it drains

    def suits(self, demand: Demand) -> bool:
        """Whether the camera can be reached from there."""
        return demand.needs <= self.tags


@dataclass(frozen=True, slots=True)
class Plan:
    """Every camera is in one of the two."""

    where: Mapping[str, str]  # camera -> node
    waiting: Mapping[str, str]  # camera -> why, in one line


def place(
    demands: Iterable[Demand],
    offers: Iterable[Offer],
    current: Mapping[str, str],
    failed: Iterable[Offer] = (),
) -> Plan:
    """Give every camera a node, moving no camera that can stay.

    A camera stays where it is while that node is there, suits it, and carries it. One without a
    place goes to the open node that is then loaded least; where none has room, less important
    ones make room, the least important first. What a draining node has stays there until another
    one has room. No camera waits while a less important one runs in its way (but not two smaller
    ones are moved about to make one large gap).

    Args:
        demands: Each camera once.
        offers: Each node once; a node that is lost is not among them.
        current: Where cameras run now; unknown cameras and nodes in it do not matter.
        failed: Nodes whose engine does not run; only named to those who wait for them.
    """
    board = Board(offers, failed)
    queue: list[tuple[int, int, str, Demand]] = []
    for demand in demands:
        kept = board.offers.get(current.get(demand.camera, ""))
        if kept is not None and kept.takes != "none" and kept.suits(demand):
            board.put(demand, kept.node)
        else:
            queue.append(_turn(demand))
    queue += [_turn(demand) for demand in board.overflow()]
    heapq.heapify(queue)
    waiting: dict[str, str] = {}
    while queue:
        demand = heapq.heappop(queue)[-1]
        node = board.room_for(demand)
        if node is not None:
            board.put(demand, node)
            continue
        kept = board.offers.get(current.get(demand.camera, ""))
        if kept is not None and kept.takes == "none" and kept.suits(demand):
            board.put(demand, kept.node)
            continue
        made = board.make_room(demand)
        if made is None:
            waiting[demand.camera] = board.why_not(demand)
            continue
        node, victims = made
        for victim in victims:
            board.take(victim)
            heapq.heappush(queue, _turn(victim))
        board.put(demand, node)
    return Plan(board.where, waiting)


def _turn(demand: Demand) -> tuple[int, int, str, Demand]:
    """The most important first, then the largest, which find room least easily."""
    return -demand.priority, -demand.cost, demand.camera, demand


@dataclass(slots=True)
class _Node:
    offer: Offer
    load: int = 0
    cameras: dict[str, Demand] = field(default_factory=dict)
    by_priority: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def free(self) -> int:
        return self.offer.capacity - self.load

    @property
    def ratio(self) -> float:
        return self.load / self.offer.capacity if self.offer.capacity > 0 else float("inf")

    def sacrifice(self, demand: Demand) -> int | None:
        """The highest priority that would have to go; None: all that may is not enough."""
        freed = self.free
        for priority in sorted(self.by_priority):
            if priority >= demand.priority:
                return None
            freed += self.by_priority[priority]
            if freed >= demand.cost:
                return priority
        return None


class Board:
    """Who runs where while a plan is made; finds the least loaded node without looking at all."""

    def __init__(self, offers: Iterable[Offer], failed: Iterable[Offer] = ()) -> None:
        self._failed = tuple(failed)
        self.offers = {offer.node: offer for offer in offers}
        self.nodes = {name: _Node(offer) for name, offer in self.offers.items()}
        self.where: dict[str, str] = {}
        self._demands: dict[str, Demand] = {}
        self._heaps: dict[frozenset[str], list[tuple[int, float, str]]] = {}
        self._fitting: dict[frozenset[str], list[_Node]] = {}
        self._hopeless: dict[frozenset[str], int] = {}  # the least cost that found no room

    def put(self, demand: Demand, node: str) -> None:
        """The camera runs there."""
        at = self.nodes[node]
        at.cameras[demand.camera] = demand
        at.load += demand.cost
        at.by_priority[demand.priority] += demand.cost
        self.where[demand.camera], self._demands[demand.camera] = node, demand
        self._changed(at)

    def take(self, demand: Demand) -> None:
        """It runs nowhere."""
        at = self.nodes[self.where.pop(demand.camera)]
        del at.cameras[demand.camera]
        at.load -= demand.cost
        at.by_priority[demand.priority] -= demand.cost
        if not at.by_priority[demand.priority]:
            del at.by_priority[demand.priority]
        self._changed(at)

    def overflow(self) -> Iterator[Demand]:
        """Takes the least important from nodes that have more than they carry."""
        for at in self.nodes.values():
            if at.free >= 0 or at.offer.takes == "none":
                continue
            for demand in sorted(at.cameras.values(), key=_least_first):
                if at.free >= 0:
                    break
                self.take(demand)
                yield demand

    def room_for(self, demand: Demand) -> str | None:
        """The node with room that is loaded least; None: none has room."""
        heap = self._heap(demand)
        full: list[tuple[int, float, str]] = []
        found = None
        while heap and found is None:
            entry = heap[0]
            at = self.nodes[entry[2]]
            if entry[1] != at.ratio:
                heapq.heappop(heap)  # a newer one is in the heap
            elif at.free >= demand.cost:
                found = at.offer.node
            else:
                full.append(heapq.heappop(heap))
        for entry in full:
            heapq.heappush(heap, entry)
        return found

    def make_room(self, demand: Demand) -> tuple[str, list[Demand]] | None:
        """A node and whom to send away from it; those of the least importance, and few of them."""
        least = self._hopeless.get(demand.needs)
        if least is not None and demand.cost >= least:
            return None  # a more important one asked before, and nothing but less room came of it
        best: tuple[int, int, int, str] | None = None
        for at in self._suiting(demand):
            name = at.offer.node
            priority = at.sacrifice(demand)
            if priority is not None:
                key = (priority, RANK[at.offer.takes], -at.free, name)
                best = key if best is None else min(best, key)
        if best is None:
            self._hopeless[demand.needs] = demand.cost
            return None
        return best[3], self._victims(self.nodes[best[3]], demand)

    def why_not(self, demand: Demand) -> str:
        """Why it waits."""
        suiting = [at for at in self.nodes.values() if at.offer.suits(demand)]
        failed = [offer.node for offer in self._failed if offer.suits(demand)]
        if not suiting and failed:
            more = f" and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
            return f"the engine fails on {', '.join(sorted(failed)[:MOST_NAMED])}{more}"
        if not suiting:
            tags = ", ".join(sorted(demand.needs))
            return f"no node with {tags} is there" if tags else "no node is there"
        taking = [at for at in suiting if at.offer.takes != "none"]
        if not taking:
            return "the nodes that it can run on are draining, or unsteady"
        most = max(0, *(at.free for at in taking)) / 1000
        return f"no room: it takes {demand.cost / 1000:g} scored frames/s, {most:g} are free"

    @staticmethod
    def _victims(at: _Node, demand: Demand) -> list[Demand]:
        freed, victims = at.free, []
        for running in sorted(at.cameras.values(), key=_least_first):
            if freed >= demand.cost:
                break
            victims.append(running)
            freed += running.cost
        needed = freed - demand.cost
        for running in reversed(victims.copy()):  # whom the last ones made superfluous
            if running.cost <= needed:
                victims.remove(running)
                needed -= running.cost
        return victims

    def _suiting(self, demand: Demand) -> list[_Node]:
        """The nodes that may take it, whatever they carry."""
        found = self._fitting.get(demand.needs)
        if found is None:
            taking = [at for at in self.nodes.values() if at.offer.takes != "none"]
            found = self._fitting[demand.needs] = [at for at in taking if at.offer.suits(demand)]
        return found

    def _heap(self, demand: Demand) -> list[tuple[int, float, str]]:
        heap = self._heaps.get(demand.needs)
        if heap is None:
            heap = [(RANK[at.offer.takes], at.ratio, at.offer.node) for at in self._suiting(demand)]
            heapq.heapify(heap)
            self._heaps[demand.needs] = heap
        return heap

    def _changed(self, at: _Node) -> None:
        if at.offer.takes == "none":
            return
        entry = (RANK[at.offer.takes], at.ratio, at.offer.node)
        for needs, heap in self._heaps.items():
            if needs <= at.offer.tags:
                heapq.heappush(heap, entry)


def _least_first(demand: Demand) -> tuple[int, int, str]:
    return demand.priority, -demand.cost, demand.camera
