"""Moves that even out how much nodes carry, made only where that is worth a camera's restart."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from monitor.cluster.placement import Demand, Offer

UNEVEN = 0.5  # of the mean: a node that carries less is given cameras
EVEN = 0.9  # of the mean: it has enough


@dataclass(slots=True)
class _Share:
    offer: Offer
    load: int = 0
    cameras: dict[str, Demand] = field(default_factory=dict)

    def with_(self, more: int = 0) -> float:
        return (self.load + more) / self.offer.capacity


def balance(
    demands: Iterable[Demand],
    offers: Iterable[Offer],
    where: Mapping[str, str],
    may_move: Callable[[str], bool] = lambda _: True,
    was_on: Callable[[str, str], bool] = lambda _camera, _node: False,
) -> dict[str, str]:
    """Cameras that are to move, and where to; asked again after the moves, none.

    Only nodes that carry less than `UNEVEN` of the mean get any, from those that carry the most,
    until they carry `EVEN` of it; and no move makes the giver lighter than the taker.

    Args:
        demands: All cameras.
        offers: Those that do not drain and are not new count and take part.
        where: Where cameras are to run now.
        may_move: Refuses what was moved a short while ago.
        was_on: Whether the camera ran on that node before; such go first (it knows them).
    """
    shares = {o.node: _Share(o) for o in offers if o.takes == "open" and o.capacity > 0}
    for demand in demands:
        share = shares.get(where.get(demand.camera, ""))
        if share is not None:
            share.load += demand.cost
            share.cameras[demand.camera] = demand
    if len(shares) < 2:
        return {}
    mean = sum(s.load for s in shares.values()) / sum(s.offer.capacity for s in shares.values())
    wish = _Wish(shares, may_move, was_on)
    moves: dict[str, str] = {}
    while made := wish.round(mean):  # each makes the loads more alike, so that they end
        moves |= made
    return {camera: node for camera, node in moves.items() if where[camera] != node}


@dataclass(slots=True)
class _Wish:
    shares: Mapping[str, _Share]
    may_move: Callable[[str], bool]
    was_on: Callable[[str, str], bool]

    def round(self, mean: float) -> dict[str, str]:
        """Fill the empty ones, the emptiest first."""
        moves: dict[str, str] = {}
        for cold in sorted(self.shares.values(), key=lambda s: (s.with_(), s.offer.node)):
            if cold.with_() >= UNEVEN * mean:
                continue
            while cold.with_() < EVEN * mean and (found := self._find(cold)):
                hot, demand = found
                del hot.cameras[demand.camera]
                hot.load -= demand.cost
                cold.cameras[demand.camera] = demand
                cold.load += demand.cost
                moves[demand.camera] = cold.offer.node
        return moves

    def _find(self, cold: _Share) -> tuple[_Share, Demand] | None:
        """What the fullest node can give."""
        node = cold.offer.node
        for hot in sorted(self.shares.values(), key=lambda s: (-s.with_(), s.offer.node)):
            if hot.with_() <= cold.with_():
                return None
            giving = [d for d in hot.cameras.values() if self._may(d, hot, cold)]
            if giving:
                return hot, min(
                    giving, key=lambda d: (not self.was_on(d.camera, node), d.priority, d.camera)
                )
        return None

    def _may(self, demand: Demand, hot: _Share, cold: _Share) -> bool:
        after = cold.with_(demand.cost)
        fits = cold.offer.suits(demand) and after <= min(1.0, hot.with_(-demand.cost))
        return demand.cost > 0 and fits and self.may_move(demand.camera)
