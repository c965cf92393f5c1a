"""What is removed, in which order, what never is, and a crash in between."""

import shutil
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor import store_garbage
from monitor.config.settings import RetentionSettings
from monitor.evidence_files import files_of, place_of, walk
from monitor.records import Alert
from monitor.retention import Retention
from monitor.store import Store
from monitor.store_writer import Recorded, StoreWriter

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
END = Alert("", "door", "end", 2, 0.0, 10.0, 5.0, 0.9, 0.001)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "events.db") as opened:
        yield opened


def name(number: int) -> str:
    return f"01JQ{number:022}"


def event(store: Store, folder: Path, number: int, *, days_ago: float, phase: str = "end") -> None:
    """An alert with a clip of 1000 bytes and two pictures of 100, paths relative as an engine's."""
    alert = replace(END, id=name(number), phase=phase)  # type: ignore[arg-type]
    store.record(alert, origin=NOON - timedelta(days=days_ago))
    own = folder / "door"
    own.mkdir(exist_ok=True)
    for ending, size in ((".mp4", 1000), (".jpg", 100), ("-plain.jpg", 100)):
        (own / f"{alert.id}{ending}").write_bytes(b"x" * size)
    store.attach(alert.id, snapshot=f"door/{alert.id}.jpg", clip=f"door/{alert.id}.mp4")


def left(folder: Path) -> list[int]:
    return sorted({int(found.alert_id[4:]) for found in walk(folder)})


def keep(store: Store, folder: Path, **values: Any) -> Retention:
    none = {"days": 0.0, "most_bytes": 0, "least_free_bytes": 0}
    return Retention(store, folder, RetentionSettings(**(none | values)))


def fill(store: Store, folder: Path) -> None:
    """0 is the newest; 3 is pinned, 4 goes on."""
    for number in range(6):
        event(store, folder, number, days_ago=number, phase="update" if number == 4 else "end")
    store.pin(name(3))


def test_what_is_too_old_goes_with_all_its_files_and_its_row_stays(
    store: Store, tmp_path: Path
) -> None:
    fill(store, tmp_path)
    space = keep(store, tmp_path, days=1.5).step(NOON)
    assert (space.removed, left(tmp_path)) == (2, [0, 1, 3, 4])
    assert (space.evidence_bytes, space.clips_allowed) == (4800, True)
    found = store.get(name(5))
    assert (found.snapshot, found.clip) == ("", "")
    assert store.count() == 6
    assert store.garbage.paths() == []


def test_the_oldest_go_until_there_is_room(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path)
    space = keep(store, tmp_path, most_bytes=5000).step(NOON)
    assert (space.removed, left(tmp_path), space.evidence_bytes) == (2, [0, 1, 3, 4], 4800)


def test_when_only_pinned_and_open_ones_are_left_clips_stop(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path)
    space = keep(store, tmp_path, most_bytes=1000).step(NOON)
    assert (left(tmp_path), space.clips_allowed) == ([3, 4], False)
    assert space.text == (
        "no clips are written: evidence takes 2.4 kB of 1 kB, and all of it is pinned or of"
        " alerts that go on"
    )


def test_what_must_stay_free_stays_free(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, tmp_path)

    def usage(_: Path) -> Usage:
        used = sum(found.size_bytes for found in walk(tmp_path))
        return Usage(10_000, used, 10_000 - used)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    own = keep(store, tmp_path, least_free_bytes=5000)
    assert not own.space().clips_allowed
    space = own.step(NOON)
    assert (left(tmp_path), space.free_bytes, space.clips_allowed) == ([0, 1, 3, 4], 5200, True)
    assert own.room_for(200)
    assert not own.room_for(201)
    space = keep(store, tmp_path, least_free_bytes=9000).step(NOON)
    assert (left(tmp_path), space.clips_allowed) == ([3, 4], False)
    assert "7.6 kB free" in space.text


def test_no_limit_removes_nothing(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path)
    assert keep(store, tmp_path).step(NOON + timedelta(days=9999)).removed == 0
    assert left(tmp_path) == [0, 1, 2, 3, 4, 5]


def test_a_crash_between_row_and_file_leaves_neither_behind(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, tmp_path)

    def killed(_: Path) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(store_garbage, "_remove", killed)
    with pytest.raises(KeyboardInterrupt):
        keep(store, tmp_path, days=4.5).step(NOON)
    assert store.get(name(5)).clip == ""  # the row let go, the files are still there
    assert 5 in left(tmp_path)
    monkeypatch.undo()
    keep(store, tmp_path, days=4.5).step(NOON)
    assert (left(tmp_path), store.garbage.paths()) == ([0, 1, 2, 3, 4], [])


def test_nothing_outside_the_folder_and_no_other_file_is_ever_evidence(tmp_path: Path) -> None:
    folder = tmp_path / "oddwatch"
    (folder / "door").mkdir(parents=True)
    outside = tmp_path / f"{name(1)}.mp4"
    model = folder / "door" / "model.pt"
    for path in (outside, model):
        path.write_bytes(b"mine")
    assert files_of(folder, str(outside), f"../{name(1)}.mp4") == []
    assert list(walk(folder)) == []


def test_a_path_is_found_from_wherever_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "events"
    clip = folder / "door" / f"{name(1)}.mp4"
    clip.parent.mkdir(parents=True)
    clip.touch()
    assert place_of(folder, str(clip)) == clip
    assert place_of(folder, f"door/{clip.name}") == clip  # an engine's
    assert place_of(folder, f"events/door/{clip.name}") == clip  # a watch's, started above it
    assert place_of(folder, f"old-name/door/{clip.name}") == clip
    monkeypatch.chdir(tmp_path)
    assert place_of(tmp_path / "none", f"events/door/{clip.name}").resolve() == clip
    assert files_of(folder, f"events/door/{clip.name}") == [clip.resolve()]


def test_a_full_disk_that_is_real_loses_no_event(tmp_path: Path) -> None:
    """A tmpfs of 1 MB, where one may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        with Store(disk / "events.db") as store:
            filler = disk / "filler"
            with pytest.raises(OSError, match="space"):
                filler.write_bytes(b"x" * 2**20)
            writer = StoreWriter(store, again_s=0.05)
            writer.start()
            for number in range(50):
                alert = replace(END, id=name(number), reason="x" * 2000)
                assert writer.put(Recorded(alert, NOON))
            for _ in range(600):
                if not writer.failing:
                    writer.flush(0.05)
            assert "disk" in writer.failing
            assert writer.waiting > 0
            filler.unlink()
            assert writer.close(60)
            assert (store.count(), store.database.fault()) == (50, "")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
