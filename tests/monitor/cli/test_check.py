from collections.abc import Iterator
from pathlib import Path

import pytest

import monitor.sources
from monitor.errors import SourceError
from monitor.records import Frame
from tests.monitor.cli.calling import call
from tests.monitor.watched import Scripted, film

Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    film(folder / "monday.mp4", 4)
    film(folder / "tuesday.mp4", 3)
    return folder


def test_what_a_folder_of_films_holds(capsys: Capsys, films: Path) -> None:
    answer = call(capsys, "check", films)
    assert answer.status == 0
    assert "layout videos" in answer.out
    assert "training  2 clips, 70 frames, 64x48, 10 per second" in answer.out
    assert "training will work, scoring will work" in answer.out


def test_the_same_for_programs(capsys: Capsys, films: Path) -> None:
    found = call(capsys, "check", films, "--json", "--full").lines[0]
    assert (found["layout"], found["train"]["frames"], found["will_train"]) == ("videos", 70, True)


def test_what_cannot_be_used_is_a_failure(capsys: Capsys, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no film")
    answer = call(capsys, "check", broken)
    assert answer.status == 1
    assert "error     " in answer.out
    assert str(broken) in answer.out
    assert "training will not work, scoring will not work" in answer.out
    nowhere = call(capsys, "check", tmp_path / "nowhere")
    assert nowhere.status == 1
    assert "sample" not in nowhere.out  # nothing was decoded


def test_a_damaged_frame_is_said_once(capsys: Capsys, tmp_path: Path) -> None:
    path = film(tmp_path / "room.avi", 6)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    answer = call(capsys, "check", path, "--full")
    assert answer.out.count("is cut off") == 1
    assert answer.err == ""


def test_an_unknown_layout_is_wrong_use(capsys: Capsys, films: Path) -> None:
    answer = call(capsys, "check", films, "--layout", "ucds")
    assert answer.status == 2
    assert "did you mean ucsd?" in answer.err


def test_a_configuration_is_not_taken_for_a_film(capsys: Capsys) -> None:
    answer = call(capsys, "check", "watch.toml")
    assert answer.status == 2
    assert "watch.toml: configuration files are not read by this version" in answer.err


def test_a_camera_is_looked_at(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor.sources, "open_source", lambda _: Scripted(2))
    answer = call(capsys, "check", "rtsp://somewhere/stream")
    assert answer.status == 0
    assert "64x48" in answer.out
    assert "gave      10.00 frames per second" in answer.out
    found = call(capsys, "check", "rtsp://somewhere/stream", "--json").lines[0]
    assert (found["frames"], found["live"], found["fault"]) == (20, True, "")


class Dead(Scripted):
    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        raise SourceError("camera: stopped after 0 frames")
        yield


def test_a_camera_that_gives_nothing_is_a_failure(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor.sources, "open_source", lambda _: Dead(2))
    answer = call(capsys, "check", "0")
    assert answer.status == 1
    assert "verdict   camera: stopped after 0 frames" in answer.out
