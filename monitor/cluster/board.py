"""What is known of a whole fleet at one moment: cameras, nodes, health; for its one API.

Takes in what each node's engine streams and what the coordinator tells, and gives what clients are
to be told. Knows nothing of networks, of databases or of time but what it is given.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from monitor.addresses import public_address
from monitor.api.schema import (
    AlertView,
    CameraState,
    CameraStatus,
    EngineStatus,
    HealthView,
    Message,
)
from monitor.cluster.reports import FleetStatus
from monitor.config.settings import CameraSettings

MOST_HEALTH = 2000  # events kept
HANDOVER = timedelta(seconds=45)  # a camera changes its node within that; longer is a fault
RECENT = timedelta(minutes=1)  # older alerts of a node that comes back are no news
NODE_TAG = "node:"


@dataclass(slots=True)
class Node:
    """A node's engine as it was last heard."""

    name: str
    since: datetime  # in this state
    live: bool = False
    why: str = ""  # it is not live
    engine: EngineStatus | None = None


class Board:
    """Every method that takes something in gives what is new by it."""

    def __init__(self, cameras: Iterable[CameraSettings], now: datetime) -> None:
        self._given = {camera.name: camera for camera in cameras if camera.enabled}
        self.nodes: dict[str, Node] = {}
        self.on: dict[str, str] = {}  # camera to node
        self._cameras: dict[str, CameraStatus] = {}
        self._health: dict[str, HealthView] = {}
        self._of_node: dict[str, str] = {}  # health event to the node that has it
        self.told: FleetStatus | None = None  # by the coordinator
        for name in self._given:
            self._cameras[name] = self._unwatched(name, now, now)

    @property
    def cameras(self) -> Sequence[CameraStatus]:
        """In the order of the configuration."""
        return list(self._cameras.values())

    def camera(self, name: str) -> CameraStatus | None:
        """None: there is none."""
        return self._cameras.get(name)

    @property
    def health(self) -> Sequence[HealthView]:
        """Newest first."""
        return sorted(self._health.values(), key=lambda event: event.started_at, reverse=True)

    def take(self, node: str, message: Message, now: datetime) -> Message:
        """A message of a node's stream."""
        known = self.nodes.setdefault(node, Node(node, now))
        known.engine = message.engine or known.engine
        fresh = not known.live  # the first message of a stream has all there is
        back = self._node_is(known, now, live=True) if fresh else []
        cameras = [self._own(node, camera) for camera in message.cameras]
        for camera in cameras:
            self.on[camera.name] = node
            self._cameras[camera.name] = camera
        gone = set(message.removed) | (self._held(node) if fresh else set())
        gone -= {camera.name for camera in cameras}
        left = [self._leave(name, now) for name in gone if self.on.get(name) == node]
        for event in message.health:
            self._of_node[event.id] = node
        return message.model_copy(
            update={
                "engine": None,
                "cameras": cameras + [camera for camera in left if camera is not None],
                "removed": sorted(name for name in gone if name not in self._cameras),
                "alerts": [
                    placed(alert, node)
                    for alert in message.alerts
                    if not fresh or alert.ended_at > now - RECENT
                ],
                "health": self._keep([*back, *message.health]),
                "log": [
                    line.model_copy(update={"text": f"{node}: {line.text}"}) for line in message.log
                ],
            }
        )

    def lost(self, node: str, why: str, now: datetime) -> Message:
        """A node's engine is not heard any more; without a reason it has nothing to do."""
        known = self.nodes.get(node)
        if known is not None and not known.live and bool(known.why) == bool(why):
            return Message()
        known = self.nodes.setdefault(node, Node(node, now))
        events = self._node_is(known, now, live=False, why=why)
        for event in [e for e in self._health.values() if self._of_node.get(e.id) == node]:
            if event.ended_at is None:  # its next stream begins with what goes on
                events.append(event.model_copy(update={"ended_at": now}))
        held = sorted(self._held(node))
        left = [camera for name in held if (camera := self._leave(name, now))]
        removed = [name for name in held if name not in self._cameras]
        return Message(cameras=left, removed=removed, health=self._keep(events))

    def hear(self, told: FleetStatus | None, now: datetime) -> Message:
        """What the coordinator says; cameras that no node watches show why."""
        self.told = told
        changed = []
        for name in self._given:
            if name not in self.on:
                status = self._unwatched(name, self._cameras[name].since, now)
                if status != self._cameras[name]:
                    self._cameras[name] = status
                    changed.append(status)
        return Message(cameras=changed)

    def change(self, cameras: Iterable[CameraSettings], now: datetime) -> Message:
        """Another configuration."""
        given = {camera.name: camera for camera in cameras if camera.enabled}
        removed = [name for name in self._cameras if name not in given and name not in self.on]
        self._given = given
        known = self._cameras
        fresh = [self._unwatched(name, now, now) for name in given if name not in known]
        every = known | {camera.name: camera for camera in fresh}
        order = [*given, *(name for name in known if name not in given and name in self.on)]
        self._cameras = {name: every[name] for name in order}
        return Message(cameras=fresh, removed=removed)

    def _held(self, node: str) -> set[str]:
        return {name for name, at in self.on.items() if at == node}

    def _leave(self, name: str, now: datetime) -> CameraStatus | None:
        """It has no node now; None: it is configured no more."""
        del self.on[name]
        if name not in self._given:
            del self._cameras[name]
            return None
        self._cameras[name] = self._unwatched(name, now, now)
        return self._cameras[name]

    def _own(self, node: str, camera: CameraStatus) -> CameraStatus:
        return camera.model_copy(update={"tags": [*camera.tags, f"{NODE_TAG}{node}"]})

    def _unwatched(self, name: str, since: datetime, now: datetime) -> CameraStatus:
        settings = self._given.get(name)
        waits = self.told.waiting.get(name, "") if self.told else ""
        late = now - since > HANDOVER
        state: CameraState = "failed" if waits or late else "connecting"
        reason = f"waits: {waits}" if waits else "no node tells of it"
        return CameraStatus(
            name=name,
            state=state,
            since=since,
            reason=reason,
            address=public_address(settings.url) if settings else "",
            tags=settings.tags if settings else [],
        )

    def _node_is(self, node: Node, now: datetime, *, live: bool, why: str = "") -> list[HealthView]:
        """Its loss begins, or ends."""
        began = node.since
        changed = node.live != live
        node.live, node.why = live, why
        node.since = now if changed else began
        if live or not why:
            open_ones = [e for e in self._health.values() if e.id.startswith(f"node-{node.name}-")]
            return [e.model_copy(update={"ended_at": now}) for e in open_ones if not e.ended_at]
        return [_loss(node)]

    def _keep(self, events: Iterable[HealthView]) -> list[HealthView]:
        found = list(events)
        self._health |= {event.id: event for event in found}
        over = len(self._health) - MOST_HEALTH
        for event in sorted(self._health.values(), key=_least_wanted)[: max(0, over)]:
            del self._health[event.id]
            self._of_node.pop(event.id, None)
        return found


def placed(alert: AlertView, node: str) -> AlertView:
    """With the node that has its clip."""
    path = f"{node}:{alert.clip_path}" if alert.clip_path else ""
    return alert.model_copy(update={"clip_path": path})


def _loss(node: Node) -> HealthView:
    severity: Literal["error"] = "error"
    return HealthView(
        id=f"node-{node.name}-{node.since:%Y%m%dT%H%M%S}",
        camera=None,
        kind="node",
        severity=severity,
        text=f"node {node.name} is not heard: {node.why}",
        started_at=node.since,
    )


def _least_wanted(event: HealthView) -> tuple[bool, datetime]:
    """Those that are over go first, the oldest of them."""
    return event.ended_at is None, event.started_at
