"""Cameras over HTTP."""

import asyncio
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from monitor.store_curves import minutes_of
from tests.monitor.api.asking import ask, client_of, error_of
from tests.monitor.api.scripted import JPEG, START, ScriptedEngine

ODD_NAMES = ["a/picture", "..", ".", "Hof 😀", "100% ?#&", "x/mute", "name with spaces", "%2F", "ä"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_camera_may_have_any_name(tmp_path: Path, name: str) -> None:
    engine = ScriptedEngine(tmp_path, ["a", "x", name])

    async def talk() -> list[object]:
        async with client_of(engine) as client:
            found = [(await client.camera(name)).name, await client.picture(name)]
            return [*found, await client.act(name, "pause"), await client.mute(name, None)]

    assert asyncio.run(talk())[:3] == [name, JPEG, f"{name}: pause done"]
    assert engine.acts == [(name, "pause")]


def test_cameras_come_in_the_order_of_the_configuration(engine: ScriptedEngine) -> None:
    assert [item["name"] for item in ask(engine, "GET", "/api/cameras").json()] == ["door", "yard"]
    assert [c["name"] for c in ask(engine, "GET", "/api/cameras?name=yard").json()] == ["yard"]


@pytest.mark.parametrize(
    "path", ["/api/cameras/cellar", "/api/cameras/cellar/picture", "/api/cameras?name=cellar"]
)
def test_an_unknown_camera_is_said(engine: ScriptedEngine, path: str) -> None:
    response = ask(engine, "GET", path)
    assert response.status_code == 404
    assert error_of(response) == "no camera 'cellar': see /api/cameras"


def test_a_picture_is_a_jpeg_or_said_to_be_missing(engine: ScriptedEngine) -> None:
    found = ask(engine, "GET", "/api/cameras/door/picture?heat=1&t=17")
    assert (found.content, found.headers["content-type"]) == (JPEG, "image/jpeg")
    engine.picture_bytes = None
    missing = ask(engine, "GET", "/api/cameras/door/picture.jpg")
    assert missing.status_code == 404
    assert error_of(missing) == "camera 'door' has no picture yet: it is running"


def test_scores_since_a_moment(engine: ScriptedEngine) -> None:
    for score in (0.1, 0.2, None):
        engine.add_score("door", score)
        engine.pass_time(10)
    since = quote((START + timedelta(seconds=10)).isoformat())
    found = ask(engine, "GET", f"/api/cameras/door/scores?since={since}").json()
    assert [point["score"] for point in found] == [0.2, None]
    naive = ask(engine, "GET", "/api/cameras/door/scores?since=2026-03-01T18:00:00")
    assert naive.status_code == 422
    assert error_of(naive).startswith("since: ")
    assert "timezone" in error_of(naive)


def test_scores_of_before_the_engines_memory_come_from_the_store(engine: ScriptedEngine) -> None:
    minutes = minutes_of("door", [(START - timedelta(seconds=s), s) for s in (90, 60, 30, 0)])
    engine.store.curves.keep([*minutes, *minutes_of("yard", [(START, 9.0)])])
    engine.add_score("door", 0.5)

    def scores(since_s: float, until_s: float) -> list[float]:
        span = {
            "since": START - timedelta(seconds=since_s),
            "until": START - timedelta(seconds=until_s),
        }
        asked = "&".join(f"{name}={quote(at.isoformat())}" for name, at in span.items())
        found = ask(engine, "GET", f"/api/cameras/door/scores?{asked}").json()
        return [point["score"] for point in found]

    assert scores(60, -1) == [60, 30, 0.5]
    assert scores(90, 60) == [90]
    assert scores(90_060, 0) == []  # a day from the beginning, no more


OUT_OF_REACH = [
    "9999-12-31T23:59:59-23:00",
    "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+10:00",
]


@pytest.mark.parametrize("moment", OUT_OF_REACH)
def test_moments_that_no_calendar_can_shift_are_refused(
    engine: ScriptedEngine, moment: str
) -> None:
    for path in ("/api/cameras/door/scores", "/api/alerts"):
        for key in ("since", "until"):
            response = ask(engine, "GET", f"{path}?{key}={quote(moment)}")
            assert response.status_code == 422
            line = f"{key}: expected a moment of the years 1970 to 8999"
            assert error_of(response) == line
    response = ask(engine, "PUT", "/api/cameras/door/mute", json={"until": moment})
    assert response.status_code == 422
    assert error_of(response) == "until: expected a moment of the years 1970 to 8999"
    assert engine.state["door"].muted_until is None


def test_a_mute_of_another_zone_is_kept_in_utc(engine: ScriptedEngine) -> None:
    until = {"until": "2026-03-01T22:00:00+03:00"}
    response = ask(engine, "PUT", "/api/cameras/door/mute", json=until)
    assert response.json() == {"done": "door: no notices until 2026-03-01 19:00 UTC"}
    assert ask(engine, "PUT", "/api/cameras/door/mute", json={"until": "2026-03-01"}).is_error


@pytest.mark.parametrize("action", ["pause", "resume", "relearn", "snapshot"])
def test_an_action_is_done_and_said(engine: ScriptedEngine, action: str) -> None:
    response = ask(engine, "POST", f"/api/cameras/door/{action}")
    assert response.json() == {"done": f"door: {action} done"}
    assert engine.acts == [("door", action)]


def test_what_cannot_be_done_is_a_conflict(engine: ScriptedEngine) -> None:
    engine.refusal = "door has no model to\nlearn anew"
    response = ask(engine, "POST", "/api/cameras/door/relearn")
    assert (response.status_code, error_of(response)) == (409, "door has no model to learn anew")


def test_an_unknown_action_is_refused_with_the_known_ones(engine: ScriptedEngine) -> None:
    response = ask(engine, "POST", "/api/cameras/door/explode")
    assert response.status_code == 422
    assert "'pause', 'resume', 'relearn' or 'snapshot'" in error_of(response)


def test_mute_and_unmute(engine: ScriptedEngine) -> None:
    until = START + timedelta(hours=1)
    response = ask(engine, "PUT", "/api/cameras/yard/mute", json={"until": until.isoformat()})
    assert response.json() == {"done": "yard: no notices until 2026-03-01 19:00 UTC"}
    assert engine.state["yard"].muted_until == until
    ask(engine, "PUT", "/api/cameras/yard/mute", json={"until": None})
    assert engine.state["yard"].muted_until is None
    assert ask(engine, "PUT", "/api/cameras/yard/mute", content=b"{").status_code == 422
