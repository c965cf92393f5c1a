import csv
import io
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.cli.events import parse_time
from monitor.errors import UsageError
from monitor.records import Alert
from monitor.store import Store
from tests.monitor.cli.calling import Answer, call

Capsys = pytest.CaptureFixture[str]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOOR = Alert("01HAAA", "door", "end", 2, 5.0, 8.5, 6.0, 0.9, 1.3e-5, "motion")
YARD = Alert("01HBBB", "yard", "update", 3, 60.0, 70.0, 65.0, 0.7, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Store(tmp_path / "events.db") as store:
        store.record(DOOR, origin=NOON, model="door.pt")
        store.attach(DOOR.id, snapshot="/evidence/door.jpg")
        store.record(YARD, origin=NOON)
    return tmp_path


def ids(answer: Answer) -> list[str]:
    assert answer.status == 0
    return [row["id"] for row in answer.lines[0]]


def test_alerts_are_listed_newest_first(capsys: Capsys, folder: Path) -> None:
    heads, first, second = call(capsys, "events", "list", "--store", folder).out.splitlines()
    assert heads.split()[:3] == ["id", "started", "source"]
    assert first.split()[0] == "01HBBB"
    assert "open" in first
    for cell in ("01HAAA", "door", "ended", "3.5 s", "1.3e-05", "motion"):
        assert cell in second


def test_without_a_store_it_is_where_events_were_written_last(
    capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "oddwatch-events/events.db: no events there" in call(capsys, "events", "list").err
    for age_s, folder, alert in ((60, "oddwatch", DOOR), (30, "oddwatch-events", YARD)):
        Path(folder).mkdir()
        with Store(f"{folder}/events.db") as store:
            store.record(alert, origin=NOON)
        then = time.time() - age_s
        os.utime(f"{folder}/events.db", (then, then))
        assert ids(call(capsys, "events", "list", "--json")) == [alert.id]
    os.utime("oddwatch/events.db")
    assert ids(call(capsys, "events", "list", "--json")) == [DOOR.id]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["01HBBB", "01HAAA"]),
        (("--source", "door"), ["01HAAA"]),
        (("--open",), ["01HBBB"]),
        (("--ended",), ["01HAAA"]),
        (("--since", "2026-03-01T12:00:30+00:00"), ["01HBBB"]),
        (("--until", "2026-03-01T12:00:30+00:00"), ["01HAAA"]),
        (("--since", "1h"), []),
        (("--label", "true"), []),
        (("--acked",), []),
        (("--limit", "1"), ["01HBBB"]),
    ],
)
def test_filters_narrow(
    capsys: Capsys, folder: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    assert ids(call(capsys, "events", "list", "--store", folder, "--json", *words)) == expected


def test_what_a_limit_leaves_out_is_said(capsys: Capsys, folder: Path) -> None:
    answer = call(capsys, "events", "list", "--store", folder, "--limit", 1)
    assert answer.err == "1 older ones are not shown; see --limit\n"


def test_one_alert_is_shown_by_the_beginning_of_its_id(capsys: Capsys, folder: Path) -> None:
    shown = call(capsys, "events", "show", "01ha", "--store", folder).out
    assert "in source   0:00:05.0 to 0:00:08.5, peak at 0:00:06.0" in shown
    assert "snapshot    /evidence/door.jpg" in shown
    assert "model       door.pt" in shown
    assert "clip" not in shown
    (plain,) = call(capsys, "events", "show", "01HA", "--store", folder, "--json").lines
    assert (plain["id"], plain["started_at"]) == ("01HAAA", "2026-03-01T12:00:05+00:00")


def test_an_alert_is_acknowledged_and_labelled(capsys: Capsys, folder: Path) -> None:
    call(capsys, "events", "ack", "01HA", "--store", folder)
    call(capsys, "events", "label", "01HA", "true", "--note", "a cat", "--store", folder)
    words = ("events", "list", "--store", folder, "--json", "--acked", "--label", "true")
    (found,) = call(capsys, *words).lines[0]
    assert (found["id"], found["label"], found["note"]) == ("01HAAA", "true", "a cat")


def test_wrong_use_is_said(capsys: Capsys, folder: Path) -> None:
    answer = call(capsys, "events", "label", "01HA", "false", "--store", folder)
    assert answer.status == 2
    assert "expected one of true, normal_here, unsure" in answer.err
    assert call(capsys, "events", "list", "--store", folder, "--since", "soon").status == 2
    answer = call(capsys, "events", "show", "01X", "--store", folder)
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert "no alert begins with '01X'" in answer.err


@pytest.mark.parametrize("command", ["list", "export"])
def test_a_span_that_ends_before_it_begins_is_wrong_use(
    capsys: Capsys, folder: Path, command: str
) -> None:
    words = ("events", command, "--store", folder, "--since", "5m", "--until")
    answer = call(capsys, *words, "10m")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == "oddwatch: --until 10m is before --since 5m: nothing lies between\n"
    assert call(capsys, *words, "1m").status == 0
    noon = ("--since", "2026-03-01T12:00:06Z", "--until", "2026-03-01T12:00:06Z")
    now = call(capsys, "events", "list", "--store", folder, "--json", *noon)
    assert ids(now) == ["01HAAA"]  # what went on at one moment


def test_csv_goes_to_standard_output_or_a_file(
    capsys: Capsys, folder: Path, tmp_path: Path
) -> None:
    printed = call(capsys, "events", "export", "--store", folder).out
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["source"] for row in rows] == ["yard", "door"]
    answer = call(capsys, "events", "export", "--store", folder, "-o", tmp_path / "all.csv")
    assert answer.out == ""
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == rows
    answer = call(capsys, "events", "export", "--store", folder, "--json", "--source", "door")
    assert [row["id"] for row in json.loads(answer.out)] == ["01HAAA"]


def test_a_file_that_cannot_be_written_is_named(capsys: Capsys, folder: Path) -> None:
    answer = call(capsys, "events", "export", "--store", folder, "-o", folder / "no" / "all.csv")
    assert answer.status == 1
    assert f"{folder / 'no' / 'all.csv'}: cannot be written: No such file" in answer.err


def test_reading_makes_no_store(capsys: Capsys, tmp_path: Path) -> None:
    answer = call(capsys, "events", "list", "--store", tmp_path)
    assert answer.status == 1
    assert "no events there" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_no_alert_is_said(capsys: Capsys, tmp_path: Path) -> None:
    Store(tmp_path / "events.db").close()
    assert call(capsys, "events", "list", "--store", tmp_path).out == "no alerts\n"


def test_alerts_keep_their_ids_when_a_later_phase_comes(capsys: Capsys, folder: Path) -> None:
    with Store(folder / "events.db") as store:
        store.record(replace(YARD, phase="end", revision=4), origin=NOON)
    assert ids(call(capsys, "events", "list", "--store", folder, "--json", "--open")) == []


def test_times_are_moments_or_spans_before_now() -> None:
    assert parse_time(None) is None
    assert parse_time("2026-03-01T13:00+01:00") == NOON
    with pytest.raises(UsageError, match="'soon': expected one such as 2026-03-01"):
        parse_time("soon")


@pytest.mark.parametrize(
    "text", ["90m", "90m ago", "1.5h AGO", "1.5 hours ago", "90 min", " 5400 s  ago "]
)
def test_a_span_may_be_said_to_be_ago(text: str) -> None:
    now = datetime.now(UTC)
    ago = parse_time(text)
    assert ago is not None
    assert abs(now - timedelta(minutes=90) - ago) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "text", ["ago", "2hago", "2h ago ago", "2026-03-01 ago", "-2h ago", "2 ago", "2 ago h"]
)
def test_what_is_no_span_is_not_ago(text: str) -> None:
    with pytest.raises(UsageError, match="expected one such as"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    ["9999-12-31T23:59:59-23:00", "9999-12-31", "0001-01-01", "99999999999d", "9" * 400 + "s"],
)
def test_a_moment_at_the_ends_of_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected one such as .* of the years 1970 to 8999"):
        parse_time(text)


def test_a_limit_beyond_all_databases_is_refused(capsys: Capsys, folder: Path) -> None:
    answer = call(capsys, "events", "list", "--store", folder, "--limit", "9" * 20)
    assert answer.status == 2
    assert "'--limit'" in answer.err
    assert "1000000000" in answer.err


def test_doctor_looks_where_the_database_is_however_that_is_named(
    capsys: Capsys,
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    copy = elsewhere / "01JQ0000000000000000000000.jpg"
    copy.write_bytes(b"a copy of a snapshot, of an alert that is not in this database")
    monkeypatch.chdir(elsewhere)
    url = f"sqlite:///{folder / 'events.db'}"
    call(capsys, "doctor", "--store", url, "--fix")
    assert copy.exists()
    answer = call(capsys, "doctor", "--store", "postgresql://nowhere/events", "--fix")
    assert (answer.status, "--folder" in answer.err) == (2, True)
    missing = call(capsys, "doctor", "--store", f"sqlite:///{elsewhere / 'none.db'}")
    assert (missing.status, (elsewhere / "none.db").exists()) == (1, False)
