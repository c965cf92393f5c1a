"""A drop folder with real files, a real database and a real thread that fills it."""

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from monitor import store_schema
from monitor.errors import CalibrationError, SourceError, UsageError
from monitor.stills import following
from monitor.stills.cases import Cases
from monitor.stills.following import Event, Followed, FollowSettings, FollowSummary, follow
from monitor.store import Store
from monitor.watching import Trouble
from tests.monitor.stills.spots import spots_model, write_plate

FAST = FollowSettings(interval_s=0.001, patience_s=5, model="spots.pt")


@dataclass
class Line:
    """A drop folder, and everything that following it needs."""

    root: Path
    settings: FollowSettings = FAST
    events: list[Event] = field(default_factory=list)

    @property
    def drop(self) -> Path:
        return self.root / "drop"

    @property
    def database(self) -> Path:
        return self.root / "events.db"

    def follow(self, pictures: int, *, looks: int = 30) -> list[Followed]:
        """Until so many were judged, or for so many looks of a second each."""
        stop = threading.Event()
        ticks = iter(range(looks))

        def clock() -> float:
            tick = next(ticks, None)
            if tick is None or len(found) >= pictures:
                stop.set()
            return float(looks if tick is None else tick)

        found: list[Followed] = []
        with Store(self.database) as store:
            for event in follow(
                self.drop,
                spots_model(),
                store=store,
                evidence=self.root / "evidence",
                settings=self.settings,
                stop=stop,
                clock=clock,
            ):
                self.events.append(event)
                if isinstance(event, Followed):
                    found.append(event)
        return found

    @property
    def troubles(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Trouble)]


@pytest.fixture
def line(tmp_path: Path) -> Line:
    (tmp_path / "drop").mkdir()
    return Line(tmp_path)


def test_a_defective_picture_becomes_an_event_with_its_heat_map(line: Line) -> None:
    write_plate(line.drop / "good.png", 1)
    write_plate(line.drop / "bad.png", 2, spot=True)
    found = {one.judged.still.name: one for one in line.follow(2)}
    assert {name: one.judged.verdict for name, one in found.items()} == {
        "good.png": "ok",
        "bad.png": "defective",
    }
    with Store(line.database) as store:
        (event,) = store.find()
    assert event.alert.id == found["bad.png"].alert_id
    assert (event.alert.source, event.alert.phase, event.model) == ("drop", "end", "spots.pt")
    assert event.alert.peak_score == pytest.approx(0.5)
    assert event.started_at == event.ended_at
    assert event.picture == str(line.drop / "bad.png")
    assert Path(event.snapshot).is_file()
    assert Path(event.snapshot).parent == line.root / "evidence" / "drop"
    summary = line.events[-1]
    assert isinstance(summary, FollowSummary)
    assert summary.pictures == {"ok": 1, "defective": 1, "unjudged": 0}


def test_each_is_judged_once_also_by_the_next_run(line: Line) -> None:
    write_plate(line.drop / "bad.png", spot=True)
    assert len(line.follow(2, looks=5)) == 1
    write_plate(line.drop / "later.png")
    assert [one.judged.still.name for one in line.follow(2, looks=5)] == ["later.png"]
    write_plate(line.drop / "bad.png", 7, spot=True)  # another picture of the same name
    assert [one.judged.still.name for one in line.follow(2, looks=5)] == ["bad.png"]
    with Store(line.database) as store:
        assert store.count() == 2


@pytest.mark.parametrize("move_to", [None, "sorted\udcff"])
def test_names_that_are_no_utf8_are_judged_once_as_all_others(
    tmp_path: Path, move_to: str | None
) -> None:
    line = Line(tmp_path / "line\udcff")
    line.drop.mkdir(parents=True)
    line.settings = replace(
        FAST, move_to=line.root / move_to if move_to else None, model="\udcff.pt"
    )
    names = ["bad\udcff.png", "bad\udcfe.png", "good.png"]
    for number, name in enumerate(names):
        write_plate(tmp_path / "any.png", number, spot="bad" in name)  # OpenCV dies of such a name
        (tmp_path / "any.png").rename(line.drop / name)
    assert sorted(one.judged.still.name for one in line.follow(3)) == sorted(names)
    assert not line.follow(1, looks=3)
    with Store(line.database, read_only=True) as store:
        found = store.find()
    assert {Path(one.picture).name for one in found} == {"bad%FF.png", "bad%FE.png"}
    assert {one.model for one in found} == {r"\udcff.pt"}
    assert not line.troubles


def test_pictures_are_moved_to_the_folder_of_their_verdict(line: Line) -> None:
    line.settings = replace(FAST, move_to=line.drop / "done")
    write_plate(line.drop / "good.png", 1)
    write_plate(line.drop / "monday" / "bad.png", 2, spot=True)
    (line.drop / "junk.png").write_bytes(b"junk")
    (line.drop / "done" / "ok").mkdir(parents=True)
    (line.drop / "done" / "ok" / "good.png").write_bytes(b"an earlier one")
    line.follow(3)
    done = line.drop / "done"
    moved = {path.relative_to(done).as_posix() for path in done.rglob("*.png")}
    assert moved == {
        "ok/good.png",
        "ok/good-2.png",
        "defective/monday/bad.png",
        "unjudged/junk.png",
    }
    assert (done / "ok" / "good.png").read_bytes() == b"an earlier one"
    assert list(line.drop.glob("*.png")) == []
    with Store(line.database) as store:
        assert store.find()[0].picture == str(done / "defective" / "monday" / "bad.png")


@pytest.mark.parametrize("across_disks", [False, True])
def test_what_someone_goes_on_writing_is_not_taken_away_but_judged_anew(
    line: Line, monkeypatch: pytest.MonkeyPatch, *, across_disks: bool
) -> None:
    path = write_plate(line.drop / "line.bmp", 1, spot=True)
    line.settings = replace(FAST, move_to=line.root / "done")
    enter, copy = Cases.enter, shutil.copy2

    def go_on_writing() -> None:
        if path.stat().st_mtime_ns != 7:
            os.utime(write_plate(path, 2), ns=(0, 7))

    def judge_and_go_on(cases: Cases, *about: Any) -> Any:
        case = enter(cases, *about)
        go_on_writing()
        return case

    def copy_and_go_on(source: Path, place: Path) -> None:
        copy(source, place)
        go_on_writing()

    if across_disks:
        monkeypatch.setattr(Path, "rename", _to_another_disk(Path.rename, line.drop))
        monkeypatch.setattr(shutil, "copy2", copy_and_go_on)
    else:
        monkeypatch.setattr(Cases, "enter", judge_and_go_on)
    found = line.follow(2)
    assert [(one.judged.verdict, one.place) for one in found] == [
        ("defective", path),
        ("ok", line.root / "done" / "ok" / "line.bmp"),
    ]
    assert _files(line.root / "done") == ["ok/line.bmp"]
    assert not path.exists()
    assert not line.troubles


def test_what_cannot_be_taken_away_across_disks_leaves_no_copies(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_plate(line.drop / "a.png")
    line.settings = replace(FAST, move_to=line.root / "done")
    monkeypatch.setattr(Path, "rename", _to_another_disk(Path.rename, line.drop))
    unlink = Path.unlink

    def stuck(self: Path, *, missing_ok: bool = False) -> None:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", stuck)
    line.follow(2, looks=6)
    assert len(line.troubles) == 1
    assert "a.png: cannot be moved: Permission denied; it stays" in line.troubles[0]
    assert _files(line.root / "done") == []


def _to_another_disk(rename: Callable[[Path, Path], Path], drop: Path) -> Callable[..., Path]:
    def across(self: Path, target: Path) -> Path:
        if drop in self.parents:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    return across


def _files(folder: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]


def test_a_run_that_died_before_the_move_moves_without_judging(line: Line) -> None:
    path = write_plate(line.drop / "bad.png", spot=True)
    (first,) = line.follow(1)
    line.settings = replace(FAST, move_to=line.root / "done")
    assert line.follow(1, looks=4) == []
    assert not path.exists()
    with Store(line.database) as store:
        assert store.get(first.alert_id).picture == str(line.root / "done/defective/bad.png")


def test_a_broken_file_is_named_once_and_the_rest_is_judged(line: Line) -> None:
    (line.drop / "broken.png").write_bytes(write_plate(line.drop / "good.png").read_bytes()[:200])
    found = line.follow(3, looks=12)
    assert [(one.judged.still.name, one.judged.verdict) for one in found] == [
        ("good.png", "ok"),
        ("broken.png", "unjudged"),
    ]
    assert "broken.png: " in found[1].judged.why
    assert line.follow(1, looks=12) == []


def test_pictures_come_while_it_runs_by_renaming(line: Line) -> None:
    def fill() -> None:
        for number in range(20):
            hidden = write_plate(line.root / f"{number}.png", number, spot=number % 5 == 0)
            hidden.rename(line.drop / f"{number}.png")

    filler = threading.Thread(target=fill)
    filler.start()
    found = line.follow(20, looks=100_000)
    filler.join()
    assert {one.judged.still.name for one in found} == {f"{n}.png" for n in range(20)}
    with Store(line.database) as store:
        pictures = {Path(event.picture).name for event in store.find()}
    assert pictures == {"0.png", "5.png", "10.png", "15.png"}


def test_a_batch_of_good_broken_and_bad_keeps_its_order(line: Line) -> None:
    for number in range(2 * following.TOGETHER + 1):
        write_plate(line.drop / f"{number}.png", number, spot=number % 2 == 0)
    found = line.follow(2 * following.TOGETHER + 1)
    for one in found:
        wanted = "defective" if int(Path(one.judged.still.name).stem) % 2 == 0 else "ok"
        assert one.judged.verdict == wanted


def test_a_locked_store_is_said_once_and_gets_everything_later(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_schema, "BUSY_MS", 1)
    line.settings = replace(FAST, move_to=line.root / "done")
    Store(line.database).close()
    write_plate(line.drop / "bad.png", spot=True)
    write_plate(line.drop / "worse.png", 3, spot=True)
    other = sqlite3.connect(line.database, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    knows = following._Desk.catch_up
    looks = iter(range(100))

    def release_at_the_sixth(desk: following._Desk) -> None:
        if next(looks) == 5:
            other.rollback()
        knows(desk)

    monkeypatch.setattr(following._Desk, "catch_up", release_at_the_sixth)
    found = line.follow(3, looks=12)
    other.close()
    assert [one.judged.verdict for one in found] == ["defective", "defective"]
    assert [text.partition("; ")[2][:12] for text in line.troubles] == [
        "judging goes",
        "what it miss",
    ]
    with Store(line.database) as store:
        assert store.count() == 2
    assert len(list((line.root / "done" / "defective").iterdir())) == 2


def test_evidence_that_cannot_be_written_is_said_and_the_event_kept(line: Line) -> None:
    (line.root / "evidence").write_bytes(b"a file where the folder should be")
    write_plate(line.drop / "bad.png", spot=True)
    (one,) = line.follow(1)
    assert one.heat is None
    assert "no heat map can be written: " in line.troubles[0]
    with Store(line.database) as store:
        assert store.get(one.alert_id).snapshot == ""


def test_a_folder_that_vanishes_is_said_and_followed_when_it_is_back(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plate(line.drop / "a.png")
    away = line.root / "away"
    catch_up = following._Desk.catch_up
    looks = iter(range(100))

    def play(desk: following._Desk) -> None:
        look = next(looks)
        if look == 3:
            line.drop.rename(away)
        if look == 5:
            away.rename(line.drop)
            write_plate(line.drop / "b.png", 2)
        catch_up(desk)

    monkeypatch.setattr(following._Desk, "catch_up", play)
    found = line.follow(2, looks=12)
    assert [one.judged.still.name for one in found] == ["a.png", "b.png"]
    assert "drop: cannot be listed: No such file or directory; looking again" in line.troubles[0]
    assert line.troubles[1].endswith("drop is there again")


def test_what_cannot_be_followed_is_refused(line: Line, tmp_path: Path) -> None:
    line.drop.rmdir()
    with pytest.raises(SourceError, match="drop: expected a folder to follow, found none"):
        line.follow(1)
    model = replace(spots_model(), calibration=None)
    with Store(line.database) as store, pytest.raises(CalibrationError, match="no threshold"):
        list(follow(tmp_path, model, store=store, evidence=tmp_path, stop=threading.Event()))


def test_heat_maps_never_land_in_the_folder_that_is_followed(line: Line) -> None:
    write_plate(line.drop / "bad.png", spot=True)
    (line.root / "evidence").symlink_to(line.root)  # so that evidence/drop is the drop folder
    (one,) = line.follow(2, looks=8)
    assert one.heat is not None
    assert one.heat.parent.name == "drop-events"
    assert [path.name for path in line.drop.iterdir()] == ["bad.png"]


def test_pictures_are_not_moved_into_the_folder_that_is_followed(line: Line) -> None:
    line.settings = replace(FAST, move_to=line.root / "drop" / ".." / "drop")
    with pytest.raises(UsageError, match="drop: pictures moved there would be followed again"):
        line.follow(1)
