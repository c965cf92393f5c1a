"""One API over two engines, each with cameras, alerts and files of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from monitor.api.auth import Tokens
from monitor.api.client import Client
from monitor.api.client_errors import Refused
from monitor.api.schema import AlertView, AlertWanted, Message, Said
from monitor.api.server import serving
from monitor.cluster.board import Board
from monitor.cluster.fleet_view import FleetView
from monitor.cluster.forwarding import Forwarder
from monitor.cluster.reports import FleetStatus
from monitor.cluster.shared import SharedStore
from monitor.cluster.telling import KIND, to_text
from monitor.config.settings import ApiSettings, CameraSettings
from monitor.store_tables import alerts
from tests.monitor.api.scripted import JPEG, ScriptedEngine, serving_script

VIEWER, ADMIN = "viewer-0123456789", "admin-0123456789"
TOKENS = Tokens(viewers=[VIEWER], admins=[ADMIN])
HELD = {"n1": ["door", "yard"], "n2": ["gate"]}
SITES = {"door": "site:a", "yard": "site:b", "gate": "site:a", "roof": "site:c"}


@dataclass
class Trial:
    """Two nodes, their engines, and the one API."""

    folder: Path
    stack: AsyncExitStack
    engines: dict[str, ScriptedEngine]
    urls: dict[str, str]
    view: FleetView
    url: str = ""

    @property
    def shared_url(self) -> str:
        return f"sqlite:///{self.folder / 'shared.db'}"

    def forward(self, node: str) -> None:
        events = self.folder / node / "events.db"
        Forwarder(events, self.shared_url, node).step(0.0, self.urls[node])

    async def client(self, token: str = ADMIN) -> Client:
        return await self.stack.enter_async_context(Client(self.url, token))

    async def raw(self, path: str, **headers: str) -> httpx.Response:
        every = {"Authorization": f"Bearer {VIEWER}"} | headers
        async with httpx.AsyncClient(base_url=self.url, headers=every) as http:
            return await http.get(path)


async def wait(until: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not until():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def fleet(folder: Path) -> AsyncIterator[Trial]:
    async with AsyncExitStack() as stack:
        cameras = [CameraSettings(name=n, url=f"rtsp://h/{n}", tags=[t]) for n, t in SITES.items()]
        shared = stack.enter_context(SharedStore(f"sqlite:///{folder / 'shared.db'}"))
        view = FleetView(shared, Board(cameras, datetime.now(UTC)), ADMIN)
        trial = Trial(folder, stack, {}, {}, view)
        for node, names in HELD.items():
            (folder / node).mkdir()
            engine = trial.engines[node] = ScriptedEngine(folder / node, names)
            stack.callback(engine.store.close)
            for name in names:
                engine.set_camera(name, tags=[SITES[name]])
            trial.urls[node] = await stack.enter_async_context(serving_script(engine, TOKENS))
            trial.forward(node)
        served = serving(view, ApiSettings(port=0), TOKENS, folder, view.evidence)
        trial.url = await stack.enter_async_context(served)
        work = asyncio.create_task(view.work())
        await wait(lambda: len(view.board.on) == 3)
        yield trial
        work.cancel()
        await asyncio.wait({work})


def run(folder: Path, check: Callable[[Trial], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with fleet(folder) as trial:
            await check(trial)

    asyncio.run(whole())


def test_cameras_pictures_scores_and_deeds_are_those_of_the_nodes(tmp_path: Path) -> None:
    async def check(trial: Trial) -> None:
        client = await trial.client()
        found = {c.name: (c.state, c.tags) for c in await client.cameras()}
        assert found["gate"] == ("running", ["site:a", "node:n2"])
        assert found["roof"] == ("connecting", ["site:c"])
        status = await client.status()
        assert (status.cameras, status.runtime) == (4, "2 of 2 nodes")
        trial.engines["n2"].add_score("gate", 0.7)
        assert [p.score for p in await client.scores("gate", trial.engines["n2"].now)] == [0.7]
        assert await client.scores("roof") == []
        assert await client.picture("gate") == JPEG
        assert await client.picture("roof") is None
        assert await client.act("gate", "pause") == "gate: pause done"
        assert trial.engines["n2"].acts == [("gate", "pause")]
        await client.mute("door", trial.engines["n1"].now)
        assert trial.engines["n1"].state["door"].muted_until == trial.engines["n1"].now
        with pytest.raises(Refused, match="roof is on no node: no node tells of it"):
            await client.act("roof", "pause")
        assert b'oddwatch_fleet_cameras{state="running"} 2' in (await trial.raw("/metrics")).content

    run(tmp_path, check)


def test_cameras_and_alerts_by_node_and_site(tmp_path: Path) -> None:
    async def check(trial: Trial) -> None:
        ids = {
            name: trial.engines[node].raise_alert(name).id
            for node, names in HELD.items()
            for name in names
        }
        for node in HELD:
            trial.forward(node)
        client = await trial.client()

        async def cameras(query: str) -> list[str]:
            return [c["name"] for c in (await trial.raw(f"/api/cameras?{query}")).json()]

        async def alerts(**wanted: str) -> set[str]:
            page = await client.alerts(AlertWanted(**wanted))  # type: ignore[arg-type]
            assert page.total == len(page.alerts)
            return {name for name, i in ids.items() if i in {a.id for a in page.alerts}}

        assert await cameras("tag=site:a") == ["door", "gate"]
        assert await cameras("tag=site:a&tag=node:n2") == ["gate"]
        assert await cameras("limit=2&offset=1") == ["yard", "gate"]
        assert await alerts() == {"door", "yard", "gate"}
        assert await alerts(tag="site:a") == {"door", "gate"}
        assert await alerts(tag="node:n1") == {"door", "yard"}
        assert await alerts(text="node:n1 site:a") == {"door"}
        assert await alerts(text="motion site:b") == {"yard"}
        assert await alerts(tag="site:nowhere") == set()

    run(tmp_path, check)


def test_evidence_comes_from_the_node_that_has_it(tmp_path: Path) -> None:
    async def check(trial: Trial) -> None:
        engine = trial.engines["n1"]
        shown, bare = engine.raise_alert("door").id, engine.raise_alert("yard").id
        engine.give_evidence(shown)
        trial.forward("n1")
        client = await trial.client(VIEWER)
        assert await client.snapshot(shown) == JPEG
        assert await client.snapshot(bare) is None
        assert await client.save_clip(shown, tmp_path / "clip.mp4") == 10
        part = await trial.raw(f"/api/alerts/{shown}/clip", Range="bytes=2-4")
        assert (part.status_code, part.content) == (206, b"234")
        assert part.headers["content-range"] == "bytes 2-4/10"
        beyond = await trial.raw(f"/api/alerts/{shown}/clip", Range="bytes=99-")
        assert beyond.status_code == 416
        (engine.folder / f"{shown}.jpg").unlink()
        assert await client.snapshot(shown) is None
        with SharedStore(trial.shared_url) as shared:
            shared.see("n1", (), "")  # its engine has ended
        await wait(lambda: "door" not in trial.view.board.on)
        with pytest.raises(Refused, match="node n1 is not there, and has what is asked for"):
            await client.snapshot(shown)

    run(tmp_path, check)


def test_what_is_said_of_an_alert_is_kept_and_reaches_its_node(tmp_path: Path) -> None:
    async def check(trial: Trial) -> None:
        engine = trial.engines["n2"]
        alert = engine.raise_alert("gate").id
        trial.forward("n2")
        client = await trial.client()
        said = Said(acknowledged=True, label="normal_here", note="the postman", pinned=True)
        await client.say(alert, said)
        await wait(lambda: engine.store.get(alert).pinned)
        assert engine.store.get(alert).label == "normal_here"
        engine.end_alert(alert)
        trial.forward("n2")
        kept = await client.alert(alert)
        assert (kept.phase, kept.label, kept.note, kept.pinned) == (
            "end", "normal_here", "the postman", True,
        )  # fmt: skip

    run(tmp_path, check)


def test_what_is_said_while_a_node_is_away_reaches_it_when_it_is_back(tmp_path: Path) -> None:
    async def check(trial: Trial) -> None:
        engine = trial.engines["n2"]
        alert, gone, kept = (engine.raise_alert("gate").id for _ in range(3))
        trial.forward("n2")
        trial.view.shared.see("n2", (), "")
        await wait(lambda: "n2" not in trial.view.following._clients)
        client = await trial.client()
        said = Said(acknowledged=True, label="true", note="a fox", pinned=False)
        await client.say(alert, said)
        await client.say(gone, said)
        await client.say(kept, Said(acknowledged=False, note="look again"))
        await wait(lambda: len(trial.view.shared.owed()) == 3)
        assert engine.store.get(alert).label is None
        engine.store.label(alert, "unsure")
        engine.store.acknowledge(kept)
        with engine.store.database.write() as connection:
            connection.execute(sa.delete(alerts).where(alerts.c.id == gone))
        trial.view.shared.see("n2", (), trial.urls["n2"])
        await wait(lambda: engine.store.get(alert).label == "true")
        await wait(lambda: trial.view.shared.owed() == [])
        assert engine.store.get(alert).note == "a fox"
        assert engine.store.get(kept).note == "look again"
        assert engine.store.get(kept).acknowledged_at is not None  # said there meanwhile

    run(tmp_path, check)


def test_a_node_that_is_not_ready_hears_later_and_the_last_word(tmp_path: Path) -> None:
    async def check(trial: Trial) -> None:
        engine = trial.engines["n2"]
        alert = engine.raise_alert("gate").id
        trial.forward("n2")
        node = trial.view.following.client("n2")
        say, asked = node.say, list[Said]()

        async def not_ready(alert_id: str, said: Said) -> AlertView:
            asked.append(said)
            if len(asked) < 4:
                raise Refused("the engine is not ready yet", 503)
            return await say(alert_id, said)

        node.say = not_ready  # type: ignore[method-assign]
        client = await trial.client()
        await client.say(alert, Said(label="unsure"))
        await client.say(alert, Said(label="true"))
        await wait(lambda: len(asked) >= 2)
        assert trial.view.shared.owed() == [("n2", alert)]
        await wait(lambda: trial.view.shared.owed() == [])
        assert engine.store.get(alert).label == "true"

    run(tmp_path, check)


def test_roles_hold_as_on_one_engine(tmp_path: Path) -> None:
    async def check(trial: Trial) -> None:
        viewer = await trial.client(VIEWER)
        await viewer.cameras()
        with pytest.raises(Exception, match="needs the role operator"):
            await viewer.act("door", "pause")
        nobody = await trial.client("wrong-0123456789")
        with pytest.raises(Exception, match="this token is not known"):
            await nobody.cameras()
        assert trial.engines["n1"].acts == []

    run(tmp_path, check)


def test_a_stream_of_one_site(tmp_path: Path) -> None:
    async def check(trial: Trial) -> None:
        got: list[Message] = []

        async def follow() -> None:
            async with Client(f"{trial.url}?tag=site:a", VIEWER) as client:
                async for message in client.stream():
                    got.append(message)  # noqa: PERF401  it does not end

        task = asyncio.create_task(follow())
        await wait(lambda: bool(got))
        assert [c.name for c in got[0].cameras] == ["door", "gate"]
        trial.engines["n1"].add_score("yard", 0.5)
        trial.engines["n2"].add_score("gate", 0.9)
        trial.engines["n1"].raise_alert("yard")
        trial.engines["n2"].raise_alert("gate")
        await wait(lambda: any(message.alerts for message in got))
        assert {p.camera for message in got for p in message.scores} == {"gate"}
        assert {a.camera for message in got for a in message.alerts} == {"gate"}
        task.cancel()

    run(tmp_path, check)


def test_the_coordinators_words_are_shown_and_a_database_that_is_away(tmp_path: Path) -> None:
    async def check(trial: Trial) -> None:
        told = FleetStatus(
            7, "d", gathering=False, nodes=(), where={}, waiting={"roof": "no node is there"}
        )
        with SharedStore(trial.shared_url) as shared:
            shared.tell(KIND, 7, to_text(told))
            shared.tell(KIND, 6, "an earlier one, that does not know it yet")
        client = await trial.client()
        await wait(lambda: trial.view.board.told is not None)
        roof = await client.camera("roof")
        assert (roof.state, roof.reason) == ("failed", "waits: no node is there")
        status = await client.status()
        assert (status.state, status.overload) == (
            "overloaded", "1 cameras wait for a node with room",
        )  # fmt: skip

        for file in tmp_path.glob("shared.db*"):
            file.rename(tmp_path / f"away-{file.name}")
        tmp_path.joinpath("shared.db").mkdir()  # cannot be opened
        trial.view.store.database.engine.dispose()
        await wait(lambda: bool(trial.view.failing))
        status = await client.status()
        assert (status.state, status.unstored) == ("read_only", trial.view.failing)
        assert await client.picture("door") == JPEG

    run(tmp_path, check)
