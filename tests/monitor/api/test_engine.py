"""The engine as a whole over HTTP, and how the API fails."""

import pytest

from tests.monitor.api.asking import ask, error_of
from tests.monitor.api.scripted import ScriptedEngine


def test_status(engine: ScriptedEngine) -> None:
    engine.raise_alert("door")
    found = ask(engine, "GET", "/api/status").json()
    assert (found["api"], found["state"], found["cameras"]) == (1, "running", 2)
    assert found["open_alerts"] == 1


def test_health_events_open_or_all(engine: ScriptedEngine) -> None:
    over = engine.add_health("door", "dark", "the picture is black")
    engine.add_health("door", "dark", "over", id=over.id, ended_at=engine.now)
    engine.add_health(None, "disk", "under 1 GB is free")
    every = ask(engine, "GET", "/api/health-events").json()
    still = ask(engine, "GET", "/api/health-events?open=1&limit=1").json()
    assert [event["kind"] for event in every] == ["disk", "dark"]
    assert [event["kind"] for event in still] == ["disk"]


def test_the_log(engine: ScriptedEngine) -> None:
    for number in range(5):
        engine.add_line(f"line {number}")
    found = ask(engine, "GET", "/api/log?limit=2").json()
    assert [line["text"] for line in found] == ["line 3", "line 4"]


def test_every_route_is_described(engine: ScriptedEngine) -> None:
    described = ask(engine, "GET", "/api/openapi.json").json()
    operations = [route for path in described["paths"].values() for route in path.values()]
    assert len(operations) >= 15
    assert all(route.get("description") for route in operations)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/api/cameras/", 404),
        ("DELETE", "/api/alerts", 405),
        ("GET", "/api/log?limit=9999999", 422),
    ],
)
def test_what_is_not_there_is_one_line(
    engine: ScriptedEngine, method: str, path: str, status: int
) -> None:
    answer = ask(engine, method, path)
    assert answer.status_code == status
    assert error_of(answer)


def test_a_fault_of_the_engine_is_one_line_without_its_words(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("rtsp://user:secret@camera")

    monkeypatch.setattr(engine, "cameras", fail)
    answer = ask(engine, "GET", "/api/cameras")
    assert answer.status_code == 500
    assert error_of(answer) == "the engine failed to answer (RuntimeError)"
    assert answer.headers["oddwatch-api"] == "1"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/alerts?camera=door&camera=yard", "camera: expected once, was given 2 times"),
        ("/api/alerts?tag=a&tag=b", "tag: expected once, was given 2 times"),
        ("/api/cameras/door/scores?since=x&since=y", "since: expected once, was given 2 times"),
        ("/api/cameras/door/scores?form=2026-01-01", "form: there is no such parameter here"),
        ("/api/cameras?tags=site:north", "tags: "),
        ("/api/health-events?closed=1", "closed: "),
        ("/api/log?lines=10", "lines: "),
        ("/api/stream?camera=door", "camera: "),
    ],
)
def test_a_parameter_that_would_not_count_is_refused(
    engine: ScriptedEngine, path: str, said: str
) -> None:
    response = ask(engine, "GET", path)
    assert response.status_code == 422
    assert error_of(response).startswith(said)


def test_several_tags_all_count(engine: ScriptedEngine) -> None:
    engine.set_camera("door", tags=["a", "b"])
    engine.set_camera("yard", tags=["a"])
    found = ask(engine, "GET", "/api/cameras?tag=a&tag=b").json()
    assert [camera["name"] for camera in found] == ["door"]
