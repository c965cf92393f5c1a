"""A whole fleet as `monitor.api` shows one engine: the same routes, the same dashboard.

Alerts and what people say of them are in the shared database; live state comes by the nodes'
streams, pictures and clips from the node that has them.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psutil
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

import monitor
from monitor.api.client import Absent, Client, Refused
from monitor.api.hub import Hub
from monitor.api.schema import (
    Action,
    AlertView,
    AlertWanted,
    CameraStatus,
    EngineStatus,
    HealthView,
    LogLine,
    Message,
    Said,
    ScorePoint,
)
from monitor.api.stored import NoEvidenceError, alert_view, store_query
from monitor.cluster.board import NODE_TAG, Board, placed
from monitor.cluster.following import Following
from monitor.cluster.shared import SharedStore
from monitor.cluster.telling import KIND, SILENT_S, from_text
from monitor.errors import MonitorError, StoreError
from monitor.store import AlertQuery, StoredAlert

LOOK_S = 2.0
BEFORE = 50  # alerts that a new client is told of
MOST_LINES = 2000
FORGOTTEN = timedelta(days=1)  # a node that said nothing for so long was taken away for good
NO_SUCH_ALERT = 404  # of HTTP
PASSED_ON = ("content-range", "accept-ranges", "content-length", "last-modified", "etag")

log = logging.getLogger(__name__)


class FleetView:
    """See `EngineView`. All methods are called in one event loop."""

    def __init__(self, shared: SharedStore, board: Board, token: str = "") -> None:
        """`token` is for the nodes' engines."""
        self.shared, self.board = shared, board
        self.store = shared.store
        self.hub = Hub()
        self.following = Following(self._take, self._lose, lambda url: Client(url, token))
        self.failing = ""  # the shared database
        self.recent: list[AlertView] = []
        self._began = datetime.now(UTC)
        self._lines: deque[LogLine] = deque(maxlen=MOST_LINES)
        self._unacknowledged = 0
        self._owed: list[tuple[str, str]] = []  # nodes, and alerts of which they have not heard
        self._handing: asyncio.Task[None] | None = None
        self._talking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # by node
        self._told: tuple[str, datetime] | None = None
        self._told_s = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- what there is

    def status(self) -> EngineStatus:
        """All nodes together."""
        told, engines = self.board.told, [n.engine for n in self.board.nodes.values() if n.engine]
        waiting = len(told.waiting) if told else 0
        live = sum(node.live for node in self.board.nodes.values())
        cameras = self.board.cameras
        return EngineStatus(
            version=monitor.__version__,
            state="read_only" if self.failing else "overloaded" if waiting else "running",
            started_at=self._began,
            now=datetime.now(UTC),
            cameras=len(cameras),
            open_alerts=sum(camera.open_alert is not None for camera in cameras),
            unacknowledged=self._unacknowledged,
            overload_stage=1 if waiting else 0,
            overload=f"{waiting} cameras wait for a node with room" if waiting else "",
            disk_free_bytes=min((e.disk_free_bytes for e in engines), default=0),
            evidence_bytes=sum(e.evidence_bytes for e in engines),
            store=self.store.database.place,
            unstored=self.failing,
            outbox_waiting=sum(node.unsent for node in told.nodes) if told else 0,
            scored_per_s=round(sum(e.scored_per_s for e in engines), 2),
            rss_bytes=psutil.Process().memory_info().rss,
            runtime=f"{live} of {len(self.board.nodes)} nodes",
        )

    def cameras(self) -> Sequence[CameraStatus]:
        """In the order of the configuration; each has its node's tag too."""
        return self.board.cameras

    def query(self, wanted: AlertWanted) -> AlertQuery:
        """What the store is to be asked; `node:NAME` is the node that raised an alert."""
        nodes = [w for w in [wanted.tag or "", *wanted.text.split()] if w.startswith(NODE_TAG)]
        if not nodes:
            return store_query(wanted, self.board.cameras)
        rest = " ".join(word for word in wanted.text.split() if word not in nodes)
        tag = None if wanted.tag in nodes else wanted.tag
        left = wanted.model_copy(update={"text": rest, "tag": tag})
        by_node = self.shared.raised_by(nodes[0].removeprefix(NODE_TAG))
        return store_query(left, self.board.cameras, also=by_node)

    async def scores(
        self, camera: str, since: datetime, until: datetime | None = None
    ) -> Sequence[ScorePoint]:
        """The readings that its node keeps, in memory and on disk, oldest first."""
        node = self.board.on.get(camera)
        if node is None:
            return []
        return await self.following.client(node).scores(camera, since, until)

    def health(self, *, open_only: bool = False, limit: int = 100) -> Sequence[HealthView]:
        """Health events, newest first."""
        found = self.board.health
        return [event for event in found if not (open_only and event.ended_at)][:limit]

    def log_lines(self, limit: int = 200) -> Sequence[LogLine]:
        """The newest lines of all nodes' logs."""
        return list(self._lines)[-limit:]

    def metrics(self) -> bytes:
        """Prometheus' text format; nodes have their own."""
        registry = CollectorRegistry()
        nodes = Gauge("oddwatch_fleet_nodes", "Nodes heard.", registry=registry)
        nodes.set(sum(node.live for node in self.board.nodes.values()))
        states = Gauge("oddwatch_fleet_cameras", "Cameras.", ["state"], registry=registry)
        for camera in self.board.cameras:
            states.labels(camera.state).inc()
        return generate_latest(registry)

    async def picture(self, camera: str, *, heat: bool = False) -> bytes | None:
        """The newest picture, from its node."""
        node = self.board.on.get(camera)
        return None if node is None else await self._client_of(camera).picture(camera, heat=heat)

    async def evidence(
        self, stored: StoredAlert, what: Literal["snapshot", "clip"], byte_range: str
    ) -> Response:
        """From the node that has it."""
        if not (stored.snapshot if what == "snapshot" else stored.clip):
            raise NoEvidenceError(f"this alert has no {what}, or not yet")
        place = await asyncio.to_thread(self.shared.node_of, stored.alert.id)
        if place is None:
            raise NoEvidenceError(f"no node is known that has the {what} of this alert")
        stack = AsyncExitStack()
        try:
            client = self.following.client(place[0])
            asked = client.evidence(stored.alert.id, what, byte_range)
            response = await stack.enter_async_context(asked)
        except Absent as error:
            raise NoEvidenceError(str(error)) from error
        except Refused as error:
            raise HTTPException(error.status, str(error)) from error
        headers = {name: response.headers[name] for name in PASSED_ON if name in response.headers}
        kind = response.headers.get("content-type")
        body = response.aiter_raw()
        return _PassedOn(stack, body, response.status_code, headers=headers, media_type=kind)

    # -- what may be done

    async def act(self, camera: str, action: Action) -> str:
        """Have its node do it."""
        return await self._client_of(camera).act(camera, action)

    async def mute(self, camera: str, until: datetime | None) -> None:
        """No notices of this camera until then; where it moves, they are sent again."""
        await self._client_of(camera).mute(camera, until)

    def alert_changed(self, alert_id: str) -> None:
        """A client has said something of it: tell the others, and the node that has it."""
        self._soon(self._tell_change(alert_id))

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Messages from now on; the first holds the whole state."""
        whole = Message(
            engine=self.status(),
            cameras=list(self.board.cameras),
            alerts=self.recent,
            health=list(self.health(open_only=True)),
            log=list(self.log_lines()),
        )
        return self.hub.subscribe(whole)

    # -- its own work

    async def work(self) -> None:
        """Look who is there, until cancelled."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_S)
        finally:
            if self._handing is not None:
                self._handing.cancel()
            await self.following.close()

    async def _look(self) -> None:
        try:
            await asyncio.to_thread(self._ask_store)
            places = await asyncio.to_thread(self.shared.places)
        except StoreError as error:
            self.failing = str(error)
            log.warning("%s", error)
        else:
            self.failing = ""
            known = [p for p in places if p.seen_at > datetime.now(UTC) - FORGOTTEN]
            await self.following.see(known)
            if self._owed and (self._handing is None or self._handing.done()):
                self._handing = asyncio.create_task(self._hand_on_owed())
        silent = time.monotonic() - self._told_s > SILENT_S
        try:
            told = None if self._told is None or silent else from_text(self._told[0])
        except ValueError as error:
            log.warning("%s", error)
            told = None
        self._publish(self.board.hear(told, datetime.now(UTC)))
        self.hub.publish(Message(engine=self.status()))

    def _ask_store(self) -> None:
        told = self.shared.told(KIND)
        if told != self._told:
            self._told, self._told_s = told, time.monotonic()
        self._owed = self.shared.owed()
        self._unacknowledged = self.store.count(AlertQuery(acknowledged=False))
        self.recent = [alert_view(stored) for stored in reversed(self.store.find(limit=BEFORE))]

    def _take(self, node: str, message: Message) -> None:
        self._publish(self.board.take(node, message, datetime.now(UTC)))

    def _lose(self, node: str, why: str) -> None:
        self._publish(self.board.lost(node, why, datetime.now(UTC)))

    def _publish(self, message: Message) -> None:
        self._lines.extend(message.log)
        if message != Message():
            self.hub.publish(message)

    def _client_of(self, camera: str) -> Client:
        node = self.board.on.get(camera)
        if node is None:
            status = self.board.camera(camera)
            raise MonitorError(f"{camera} is on no node: {status.reason if status else 'gone'}")
        return self.following.client(node)

    async def _tell_change(self, alert_id: str) -> None:
        stored = await asyncio.to_thread(self.store.get, alert_id)
        place = await asyncio.to_thread(self.shared.node_of, alert_id)
        view = alert_view(stored)
        self._publish(Message(alerts=[view if place is None else placed(view, place[0])]))
        if place is not None:
            await self._hand_on(place[0], alert_id)

    async def _hand_on(self, node: str, alert_id: str, *, late: bool = False) -> None:
        """Tell the node what was said, one after the other; owed until it has heard.

        When it comes `late` nothing is taken back: somebody may have said something there.
        """
        async with self._talking[node]:
            view = alert_view(await asyncio.to_thread(self.store.get, alert_id))
            said = Said(
                acknowledged=view.acknowledged_at is not None,
                label=view.label or "none",
                note=view.note,
                pinned=view.pinned,
            )
            if late:
                said = Said.model_validate({k: v for k, v in said if v and v != "none"})
            await asyncio.to_thread(self.shared.owe, node, alert_id)
            try:
                await self.following.client(node).say(alert_id, said)
            except Refused as error:
                if error.status != NO_SUCH_ALERT:
                    raise
                log.warning("node %s has an alert no more of which something was said", node)
            await asyncio.to_thread(self.shared.pay, alert_id)

    async def _hand_on_owed(self) -> None:
        """To nodes that were away when something was said, and are back."""
        back = {name for name, node in self.board.nodes.items() if node.live}
        for node, alert_id in self._owed:
            if node not in back:
                continue
            try:
                await self._hand_on(node, alert_id, late=True)
            except MonitorError:  # that was told when it was said
                back.discard(node)
            except Exception:
                log.exception("what was said of %s was not handed on to node %s", alert_id, node)
                back.discard(node)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        async def quietly() -> None:
            try:
                await work
            except MonitorError as error:
                log.warning("what was said of an alert is told to its node later: %s", error)

        task = asyncio.get_running_loop().create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _PassedOn(StreamingResponse):
    """What a node sends, let go of at the end however it ends."""

    def __init__(self, stack: AsyncExitStack, body: AsyncIterator[bytes], *args: Any, **kw: Any):
        super().__init__(body, *args, **kw)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        async with self._stack:
            await super().__call__(scope, receive, send)
