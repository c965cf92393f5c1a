"""The store on a real PostgreSQL; where none is installed, nothing is tested."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.errors import StoreError
from monitor.records import Alert
from monitor.store import AlertQuery, Facts, HealthEvent, Outgoing, Store
from monitor.store_curves import minutes_of

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
NOBODY = 65_534  # the server refuses to run as root
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Alert("01HAAA", "door", "new", 1, 10.0, 11.0, 10.5, 0.9, 0.001, "motion")
END = replace(NEW, phase="end", revision=2)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not BINARIES or importlib.util.find_spec("psycopg") is None,
        reason="needs PostgreSQL and psycopg",
    ),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = Path("/tmp") / f"oddwatch-pg-{os.getpid()}"  # a socket's path is short
    folder.mkdir()
    user = {"user": NOBODY} if os.getuid() == 0 else {}
    if user:
        os.chown(folder, NOBODY, -1)

    def run(program: str, *words: str) -> None:
        command = [str(BINARIES[-1] / program), "-D", str(folder / "data"), *words]
        subprocess.run(command, check=True, capture_output=True, **user)  # type: ignore[call-overload]

    try:
        run("initdb", "-A", "trust", "-U", "me", "--no-sync")
        options = f"-c listen_addresses='' -k {folder} -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://me@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_all_of_it_works_there_too(url: str) -> None:
    told = Outgoing("hook", "alert", NEW.id, 1, "door", {"x": 1}, NOON)
    with Store(url) as store:
        facts = Facts(strength=2.0, region="left")
        assert store.record(NEW, origin=NOON, facts=facts, notices=[told])
        assert not store.record(NEW, origin=NOON)
        store.say("01ha", acknowledged=True, label="true", note="a Van", pinned=True)
        query = AlertQuery(text="van DOOR", pinned=True, acknowledged=True, is_open=True)
        assert [item.strength for item in store.find(query)] == [2.0]
        for sort in ("newest", "oldest", "strongest", "changed"):
            assert store.count(AlertQuery(sort=sort)) == len(store.find(AlertQuery(sort=sort)))
        assert store.outbox.due("hook", NOON)[0].payload == {"x": 1}
        due = datetime.now(UTC) + timedelta(hours=1)
        more = replace(told, kind="summary", due_at=due, payload={"alerts": ["B"]})
        store.outbox.put([more, replace(more, payload={"alerts": ["C"]})])
        assert [row.payload for row in store.outbox.due("hook", due)][1] == {"alerts": ["B", "C"]}
        assert store.outbox.last_told()["hook", "door"].alert_id == NEW.id
        event = HealthEvent("01A", None, "disk", "error", "full", NOON)
        store.health.open(event)
        assert store.health.open(replace(event, id="01B")).id == "01A"
        assert store.close_orphans() == 1
        store.outbox.mute("door", NOON)
        assert store.outbox.mutes() == {"door": NOON}
        for level in (1.0, 2.0):
            store.curves.keep(minutes_of("door", [(NOON, level)]))
        assert store.curves.find(NOON, NOON, "door")[0].levels[0] == 2.0
    with Store(url, read_only=True) as store:
        assert store.get("01H").alert.ended_by == "engine_restart"


def test_one_engine_there_too(url: str) -> None:
    with Store(url) as first, Store(url) as second:
        first.database.claim()
        with pytest.raises(StoreError, match=rf"another engine \({os.getpid()} on "):
            second.database.claim()
    with Store(url) as third:
        third.database.claim()
