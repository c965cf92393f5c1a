"""The dashboard before the real engine on a film that loops: what a person does arrives."""

from pathlib import Path

import pytest

from monitor.api.client import Client
from monitor.store import Store
from monitor.tui.app import Dashboard
from tests.monitor.live.engines import Ran, leaves_nothing, write_config
from tests.monitor.live.tiny import film, light_file
from tests.monitor.tui.stage import play, text_of, until


def test_an_alert_appears_and_is_acknowledged_by_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = {
        "name": "door", "url": str(film(tmp_path / "flash.mp4", 8.0, flash=(4.0, 6.5))),
        "model": str(light_file(tmp_path / "light.pt", monkeypatch)),
        "loop": True, "score_fps": 10.0, "pre_s": 2.0, "post_s": 1.0, "gate": False,
    }  # fmt: skip
    config = write_config(tmp_path, [camera])

    async def body(app, pilot):
        await until(pilot, lambda: "▲ door" in text_of(app), tries=6000)
        assert "ALERT" in text_of(app)
        await pilot.press("a")
        await until(pilot, lambda: any("acknowledged" in one.message for one in app._notifications))

    with leaves_nothing(tmp_path), Ran(config) as ran:
        ran.wait(lambda: ran.camera("door")["state"] == "running")
        play(Dashboard([Client(ran.engine.url)], images="half"), body)
    with Store(tmp_path / "out" / "events.db", read_only=True) as store:
        acknowledged = [one for one in store.find() if one.acknowledged_at is not None]
        assert [one.alert.source for one in acknowledged] == ["door"]
