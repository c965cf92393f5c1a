"""What a crash leaves behind is found and put right; what an engine works on is let be."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from monitor.cli.doctor import doctor
from monitor.errors import SourceNotFoundError
from monitor.store import HealthEvent, Store
from monitor.store_doctor import examine, recover
from tests.monitor.test_retention import NOON, event, name

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "events.db") as opened:
        yield opened


def dead_process() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def wreck(store: Store, folder: Path, shared: Path) -> None:
    """One of each kind, beside an alert that is in order."""
    event(store, folder, 0, days_ago=1)
    event(store, folder, 1, days_ago=1, phase="update")
    store.health.open(HealthEvent("01A", None, "disk", "error", "full", NOON))
    event(store, folder, 2, days_ago=1)
    (folder / "door" / f"{name(2)}.mp4").unlink()
    event(store, folder, 3, days_ago=1)
    store.garbage.forget_paths(name(3), snapshot=False, clip=True)
    store.attach(name(3), snapshot="elsewhere.jpg")
    (folder / "door" / f"{name(9)}.mp4").write_bytes(b"nobody's")
    (folder / "door" / ".abc.part").write_bytes(b"half")
    left = folder / "door" / f"{name(8)}.jpg"
    left.write_bytes(b"x")
    store.garbage.add([left])
    shared.mkdir()
    (shared / f"oddwatch-{dead_process()}-door").touch()
    (shared / f"oddwatch-{os.getpid()}-door").touch()
    (shared / "psm_other").touch()


def test_what_a_killed_engine_was_writing_is_put_right_at_the_next_start(
    store: Store, tmp_path: Path
) -> None:
    wreck(store, tmp_path, tmp_path / "shm")
    clip = tmp_path / "door" / f"{name(3)}.mp4"
    assert clip.is_file()  # its row does not name it
    old = tmp_path / "door" / ".old.part"
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert recover(store, tmp_path) == 2
    assert store.get(name(3)).clip == f"door/{clip.name}"
    assert not (tmp_path / "door" / ".abc.part").exists()
    assert old.exists()
    assert (tmp_path / "door" / f"{name(9)}.mp4").exists()  # no alert's: a person decides
    assert recover(store, tmp_path) == 0


def test_one_of_each_is_found_and_put_right(store: Store, tmp_path: Path) -> None:
    shared = tmp_path / "shm"
    wreck(store, tmp_path, shared)
    findings = examine(store, tmp_path, engine_runs=False, shared=shared)
    kinds = [finding.kind for finding in findings]
    assert sorted(set(kinds)) == [
        "alert_unended",
        "file_missing",
        "file_partial",
        "file_unnamed",
        "file_unowned",
        "garbage",
        "health_unended",
        "ring_stale",
    ]
    for finding in findings:
        assert finding.fix is not None
        finding.fix()
    rest = examine(store, tmp_path, engine_runs=False, shared=shared)
    assert [finding.text for finding in rest] == []
    assert store.get(name(1)).alert.ended_by == "engine_restart"
    assert store.get(name(2)).clip == ""
    assert store.get(name(3)).clip == f"door/{name(3)}.mp4"
    assert store.get(name(0)).clip == f"door/{name(0)}.mp4"
    left = sorted(path.name for path in shared.iterdir())
    assert left == [f"oddwatch-{os.getpid()}-door", "psm_other"]


def test_what_an_engine_works_on_is_let_be(store: Store, tmp_path: Path) -> None:
    wreck(store, tmp_path, tmp_path / "shm")
    found = examine(store, tmp_path, engine_runs=True, shared=tmp_path / "none")
    assert sorted({finding.kind for finding in found}) == ["file_missing", "garbage"]


def test_the_command_says_it_fixes_it_and_is_content(
    capsys: Capsys, store: Store, tmp_path: Path
) -> None:
    event(store, tmp_path, 0, days_ago=1)
    (tmp_path / "door" / f"{name(9)}.mp4").write_bytes(b"nobody's")
    assert run("--store", str(tmp_path)) == 1
    assert f"{name(9)}.mp4: there is no alert that it belongs to" in capsys.readouterr().out
    assert run("--store", str(tmp_path), "--fix") == 0
    assert "(put right)" in capsys.readouterr().out
    assert run("--store", str(tmp_path)) == 0
    assert capsys.readouterr().out == "nothing is wrong\n"
    with pytest.raises(SourceNotFoundError, match="no events there"):
        run("--store", str(tmp_path / "none"))


def test_a_running_engine_is_said(capsys: Capsys, store: Store, tmp_path: Path) -> None:
    store.database.claim()
    event(store, tmp_path, 1, days_ago=1, phase="update")
    assert run("--store", str(tmp_path), "--fix") == 0
    assert f"an engine runs (process {os.getpid()})" in capsys.readouterr().err
    assert store.get(name(1)).alert.phase == "update"


def run(*words: str) -> int:
    app = typer.Typer()
    app.command()(doctor)
    return int(app(list(words), standalone_mode=False) or 0)
