"""Told and done: what an engine says of its cameras is held against the file that it was given."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

from monitor.api.auth import Tokens
from monitor.api.client import Client
from monitor.api.schema import HealthView
from monitor.cluster.asking import (
    ASK_S,
    DENIED_S,
    LATE_S,
    SILENT,
    Answer,
    Asking,
    Comparison,
    Orders,
    ask,
    orders_in,
)
from tests.monitor.api.scripted import START, ScriptedEngine, serving_script

TOLD = ("door", "gate")
BOTH = Answer({"door": "", "gate": ""})


def test_a_camera_that_was_told_has_some_time_to_begin() -> None:
    compared = Comparison()
    assert compared.text(0.0, 7, TOLD, SILENT) == ""
    assert compared.text(LATE_S - 1, 7, TOLD, BOTH) == ""
    assert compared.text(LATE_S, 7, [*TOLD, "yard"], BOTH) == ""
    assert compared.text(2 * LATE_S - 1, 7, [*TOLD, "yard"], BOTH) == ""
    late = compared.text(2 * LATE_S, 7, [*TOLD, "yard"], BOTH)
    assert late == "its engine does not watch yard"
    assert compared.text(2 * LATE_S, 8, [*TOLD, "yard"], SILENT) == ""  # a new engine
    assert compared.text(2 * LATE_S + 1, 8, TOLD, BOTH) == ""


def test_a_refused_configuration_is_told_at_once() -> None:
    compared = Comparison()
    refused = Answer({"door": ""}, refused="gate: no such day")
    said = "its engine goes on with an earlier configuration: gate: no such day"
    assert compared.text(0.0, 7, ["door"], refused) == said
    assert compared.text(0.0, 7, TOLD, refused) == f"{said}; its engine does not watch gate"
    many = [f"cam{i}" for i in range(9)]
    assert compared.text(0.0, 7, many, refused).endswith("watch cam0, cam1, cam2 and 6 more")


def test_an_engine_that_says_nothing_and_cameras_that_fail() -> None:
    compared = Comparison()
    compared.text(0.0, 7, TOLD, BOTH)
    silent = compared.text(LATE_S, 7, TOLD, Answer(silence="nobody answers"))
    assert silent == "its engine does not say what it watches: nobody answers"
    assert compared.text(LATE_S, 7, (), Answer(silence="nobody answers")) == ""
    failed = Answer({"door": "wrong password", "gate": "", "gone": "old"})
    assert compared.text(LATE_S, 7, TOLD, failed) == "door: wrong password"
    failed = Answer({f"c{i}": "no" for i in range(5)})
    told = compared.text(LATE_S, 7, [f"c{i}" for i in range(5)], failed)
    assert told == "c0: no; c1: no; c2: no; 2 more cameras fail"


def test_what_an_engine_says(tmp_path: Path) -> None:
    async def asked() -> list[tuple[Answer, float]]:
        engine = ScriptedEngine(tmp_path, TOLD)
        tokens = Tokens(viewers=["viewer-0123456789"])
        async with serving_script(engine, tokens) as url:
            async with Client(url, "viewer-0123456789") as client:
                first = await ask(client)
                failed = {"state": "failed", "reason": "refused"}
                engine.state["door"] = engine.state["door"].model_copy(update=failed)
                engine.events = [
                    HealthView(
                        id="1", camera=None, kind="configuration", severity="warning",
                        text="no such day", started_at=START,
                    )
                ]  # fmt: skip
                second = await ask(client)
            async with Client(url, "another-0123456789") as client:
                third = await ask(client)
        async with Client(url, "viewer-0123456789") as client:
            fourth = await ask(client)
        engine.store.close()
        return [first, second, third, fourth]

    first, second, denied, gone = asyncio.run(asked())
    assert first == (BOTH, ASK_S)
    assert second[0] == Answer({"door": "refused", "gate": ""}, refused="no such day")
    assert "token" in denied[0].silence
    assert denied[1] == DENIED_S
    assert gone[0].silence
    assert gone[1] == ASK_S


def test_what_a_node_was_told(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    assert orders_in(config) == Orders()
    config.write_text('[[camera]]\nname = "T\u00fcr \U0001f6aa"\n', encoding="utf-8")
    assert orders_in(config) == Orders(frozenset({"T\u00fcr \U0001f6aa"}))
    config.write_text('[api]\nadmins = ["env:A"]\nviewers = ["env:V", "env:W"]\n')
    assert orders_in(config) == Orders(frozenset(), "env:V")  # no more rights than it needs


def test_what_an_engine_watched_ends_with_it(tmp_path: Path) -> None:
    keeper = SimpleNamespace(folder=tmp_path, engine_pid=7, url=lambda: "")
    asking = Asking(keeper)  # type: ignore[arg-type]
    asking._hear(7, BOTH)
    asking._hear(7, Answer(silence="it hangs"))
    assert asking.watched == TOLD
    keeper.engine_pid = 8
    assert not asking.watched
