"""Alerts, what people say of them and their evidence, over HTTP."""

import sqlite3
from pathlib import Path

import pytest

from tests.monitor.api.asking import ask, error_of
from tests.monitor.api.scripted import JPEG, ScriptedEngine


@pytest.fixture
def some(engine: ScriptedEngine) -> list[str]:
    """Ids of five alerts, oldest first; strengths 3, 1, 2, 5, 4; the odd ones are of the yard."""
    found = []
    for number, strength in enumerate((3, 1, 2, 5, 4)):
        camera = "yard" if number % 2 else "door"
        alert = engine.raise_alert(camera, strength=strength, reason=f"part {number}")
        found.append(engine.end_alert(alert.id).id if number < 3 else alert.id)
        engine.pass_time(60)
    engine.store.say(found[0], acknowledged=True, label="true", note="100% a Van", pinned=True)
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [4, 3, 2, 1, 0]),
        ("camera=yard", [3, 1]),
        ("open=true", [4, 3]),
        ("open=0", [2, 1, 0]),
        ("acknowledged=false&camera=door", [4, 2]),
        ("label=true", [0]),
        ("pinned=1", [0]),
        ("labelled=no", [4, 3, 2, 1]),
        ("text=100%25 VAN", [0]),
        ("text=_", []),
        ("sort=strongest", [3, 4, 0, 2, 1]),
        ("sort=oldest&limit=2&offset=1", [1, 2]),
        ("since=2026-03-01T18:03:00Z", [4, 3]),
        ("until=2026-03-01T19:02:00%2B01:00", [1, 0]),
        ("offset=99", []),
    ],
)
def test_filters(engine: ScriptedEngine, some: list[str], query: str, expected: list[int]) -> None:
    page = ask(engine, "GET", f"/api/alerts?{query}").json()
    assert [some.index(item["id"]) for item in page["alerts"]] == expected


def test_a_page_says_how_many_there_are(engine: ScriptedEngine, some: list[str]) -> None:
    page = ask(engine, "GET", "/api/alerts?limit=2&offset=2").json()
    assert (page["total"], page["offset"], len(page["alerts"])) == (5, 2, 2)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("limit=501", "limit"),
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("label=maybe", "label"),
        ("since=yesterday", "since"),
        ("until=2026-03-01", "until"),
        ("sort=id;drop", "sort"),
        ("colour=red", "colour"),
        ("text=" + "x" * 201, "text"),
    ],
)
def test_a_wrong_filter_is_refused(engine: ScriptedEngine, query: str, place: str) -> None:
    response = ask(engine, "GET", f"/api/alerts?{query}")
    assert response.status_code == 422
    assert error_of(response).startswith(f"{place}: ")


def test_what_a_person_says_is_kept_and_told(
    engine: ScriptedEngine, some: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(engine, "alert_changed", told.append)
    said = {"acknowledged": True, "label": "normal_here", "note": "cleaners", "pinned": True}
    changed = ask(engine, "PATCH", f"/api/alerts/{some[4]}", json=said).json()
    kept = engine.store.get(some[4])
    assert (kept.label, kept.note, kept.pinned) == ("normal_here", "cleaners", True)
    assert kept.acknowledged_at is not None
    assert told == [some[4]]
    assert changed == ask(engine, "GET", f"/api/alerts/{some[4]}").json()
    ask(engine, "PATCH", f"/api/alerts/{some[4]}", json={"label": "none", "acknowledged": False})
    undone = engine.store.get(some[4])
    assert (undone.label, undone.acknowledged_at, undone.note) == (None, None, "cleaners")


def test_a_wrong_label_changes_nothing(engine: ScriptedEngine, some: list[str]) -> None:
    said = {"label": "maybe", "note": "x"}
    response = ask(engine, "PATCH", f"/api/alerts/{some[1]}", json=said)
    assert response.status_code == 422
    assert engine.store.get(some[1]).note == ""


@pytest.mark.parametrize(
    "path",
    [
        "/api/alerts/..%2F..%2Fetc%2Fpasswd",
        "/api/alerts/%2Fetc%2Fpasswd/clip",
        "/api/alerts/events.db/snapshot",
        "/api/alerts/x%00y/snapshot",
        f"/api/alerts/{'A' * 65}",
    ],
)
def test_an_id_that_is_a_path_is_refused(engine: ScriptedEngine, path: str) -> None:
    response = ask(engine, "GET", path)
    assert response.status_code == 422
    assert error_of(response).startswith("alert_id: ")


def test_only_a_whole_id_is_an_alert(engine: ScriptedEngine, some: list[str]) -> None:
    engine.store.close()
    for wrong in (some[0][:10], some[0][:-1], "0", "01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        response = ask(engine, "PATCH", f"/api/alerts/{wrong}", json={"note": "x"})
        assert response.status_code == 404
        assert error_of(response) == f"no alert {wrong!r}: see /api/alerts"
    assert ask(engine, "GET", f"/api/alerts/{some[0].lower()}").status_code == 200


def test_evidence_is_sent_as_what_it_is(engine: ScriptedEngine, some: list[str]) -> None:
    engine.give_evidence(some[0], clip=b"0123456789")
    snapshot = ask(engine, "GET", f"/api/alerts/{some[0]}/snapshot")
    assert (snapshot.content, snapshot.headers["content-type"]) == (JPEG, "image/jpeg")
    clip = ask(engine, "GET", f"/api/alerts/{some[0]}/clip")
    assert (clip.content, clip.headers["content-type"]) == (b"0123456789", "video/mp4")
    assert clip.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=5-99", 206, b"56789"),
        ("bytes=10-", 416, b""),
        ("bytes=4-2", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
        ("bytes=0-1,4-5", 200, b"0123456789"),
    ],
)
def test_parts_of_a_clip(
    engine: ScriptedEngine, some: list[str], asked: str, status: int, content: bytes
) -> None:
    engine.give_evidence(some[0], clip=b"0123456789")
    got = ask(engine, "GET", f"/api/alerts/{some[0]}/clip", headers={"Range": asked})
    assert (got.status_code, got.content) == (status, content)


def test_evidence_that_is_not_there_is_said(engine: ScriptedEngine, some: list[str]) -> None:
    none = ask(engine, "GET", f"/api/alerts/{some[0]}/clip")
    assert none.status_code == 404
    assert error_of(none) == "this alert has no clip, or not yet"
    engine.give_evidence(some[0])
    (engine.folder / f"{some[0]}.mp4").unlink()
    gone = ask(engine, "GET", f"/api/alerts/{some[0]}/clip")
    assert error_of(gone) == "the clip of this alert is no longer there"


def test_nothing_outside_the_folder_is_sent(
    engine: ScriptedEngine, some: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("outside") / "secret.jpg"
    secret.write_bytes(b"secret")
    link = engine.folder / "link.jpg"
    link.symlink_to(secret)
    inside = Path("..") / secret.parent.name / secret.name
    for path in (secret, link, inside, engine.folder / "events.db"):
        engine.store.attach(some[0], snapshot=str(path))
        response = ask(engine, "GET", f"/api/alerts/{some[0]}/snapshot")
        assert response.status_code == 404
        assert "outside the engine's folder" in error_of(response)


def test_a_store_that_is_damaged_is_one_line(engine: ScriptedEngine, some: list[str]) -> None:
    engine.store.close()
    with sqlite3.connect(engine.folder / "events.db") as connection:
        connection.execute("DROP TABLE alerts")
    response = ask(engine, "GET", "/api/alerts")
    assert response.status_code in {409, 503}
    assert "events.db" in error_of(response)
