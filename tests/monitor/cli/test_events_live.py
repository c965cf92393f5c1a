"""What `oddwatch events` learned with the live engine."""

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from monitor.cli.events_follow import HEAD, changes, short_line
from monitor.records import Alert
from monitor.store import AlertQuery, Facts, Store
from tests.monitor.cli.calling import Answer, call

Capsys = pytest.CaptureFixture[str]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOOR = Alert("01HAAA", "door", "end", 2, 5.0, 8.5, 6.0, 0.9, 1.3e-5, "motion")
YARD = Alert("01HBBB", "yard", "update", 3, 60.0, 70.0, 65.0, 0.7, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Store(tmp_path / "events.db") as store:
        store.record(DOOR, origin=NOON, facts=Facts(strength=3.0, region="upper left"))
        store.record(YARD, origin=NOON, facts=Facts(strength=1.5))
        (tmp_path / "door.mp4").write_bytes(b"clip")
        store.attach(DOOR.id, clip="door.mp4")
    return tmp_path


def ids(answer: Answer) -> list[str]:
    assert answer.status == 0, answer.err
    return [row["id"] for row in answer.lines[0]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--source", "door", "--source", "yard"), ["01HBBB", "01HAAA"]),
        (("--text", "upper MOTION"), ["01HAAA"]),
        (("--sort", "strongest"), ["01HAAA", "01HBBB"]),
        (("--sort", "oldest", "--limit", "1"), ["01HAAA"]),
        (("--pinned",), []),
        (("--unpinned",), ["01HBBB", "01HAAA"]),
    ],
)
def test_more_ways_to_narrow(
    capsys: Capsys, folder: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    assert ids(call(capsys, "events", "list", "--store", folder, "--json", *words)) == expected


def test_an_unknown_order_is_refused(capsys: Capsys, folder: Path) -> None:
    answer = call(capsys, "events", "list", "--store", folder, "--sort", "best")
    assert (answer.status, answer.err) == (
        2,
        "oddwatch: sort 'best': expected one of newest, oldest, strongest, changed\n",
    )


def test_what_was_said_can_be_taken_back(capsys: Capsys, folder: Path) -> None:
    def say(*words: str) -> str:
        return call(capsys, "events", *words, "--store", folder).out

    assert "pinned      yes" in say("pin", "01HA")
    assert "pinned" not in say("pin", "01HA", "--undo")
    assert "seen        no" not in say("ack", "01HA")
    assert "seen        no" in say("ack", "01HA", "--undo")
    assert "label       true" in say("label", "01HA", "true", "--note", "a van")
    after = say("unlabel", "01HA")
    assert "label" not in after
    assert "note        a van" in after
    assert "strength    3.00 times the threshold" in after


def test_evidence_is_copied_beside_the_table(capsys: Capsys, folder: Path, tmp_path: Path) -> None:
    with Store(folder / "events.db") as store:
        store.attach(DOOR.id, snapshot="gone.jpg")
    out, table = tmp_path / "case", tmp_path / "case.csv"
    words = ("--store", folder, "-o", table, "--evidence", out)
    answer = call(capsys, "events", "export", *words)
    assert answer.status == 0
    assert "1 file(s) are not there any more" in answer.err
    rows = {row["id"]: row for row in csv.DictReader(table.open())}
    assert Path(rows["01HAAA"]["clip"]).read_bytes() == b"clip"
    assert rows["01HAAA"]["clip"] == str(out / "door.mp4")
    assert rows["01HAAA"]["snapshot"] == ""


def test_following_gives_what_there_is_and_then_each_change_once(folder: Path) -> None:
    path = folder / "events.db"
    with Store(path) as writer, Store(path, read_only=True) as store:
        steps: list[Callable[[], object]] = [
            lambda: None,
            lambda: writer.record(replace(YARD, phase="end", revision=4), origin=NOON),
            lambda: writer.record(replace(DOOR, id="01HCCC"), origin=NOON),
            lambda: writer.acknowledge("01HAAA"),
        ]
        found = islice(changes(store, AlertQuery(), 100, lambda: steps.pop(0)()), 5)  # noqa: PLW0108
        told = [(item.alert.id, item.alert.revision) for item in found]
    assert told == [("01HAAA", 2), ("01HBBB", 3), ("01HBBB", 4), ("01HCCC", 2), ("01HAAA", 2)]


def test_a_change_that_is_followed_fits_a_terminal(tmp_path: Path) -> None:
    long = replace(DOOR, id="01M8GEE9N3NCDD2D2GD85VGQHA", source="north gate")
    with Store(tmp_path / "events.db") as store:
        store.record(long, origin=NOON, facts=Facts(strength=3.0))
        store.label(long.id, "normal_here")
        line = short_line(store.get(long.id))
        assert store.get(line.split()[0]).alert.id == long.id  # enough to name it by
    assert len(line) <= 80
    assert line.endswith("ended    3.5 s  north gate  motion  normal_here  no")
    assert HEAD.index("source") == line.index("north gate")
