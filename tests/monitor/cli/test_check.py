from collections.abc import Generator
from pathlib import Path

import pytest

import monitor.sources
from monitor.errors import SourceError
from monitor.records import Frame
from tests.monitor.cli.calling import call
from tests.monitor.stills.sets import mvtec, pictures
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
    assert answer.status == 1
    assert "watch.toml: there is no such configuration file" in answer.out


def test_a_camera_is_looked_at(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor.sources, "open_source", lambda _: Scripted(2))
    answer = call(capsys, "check", "rtsp://somewhere/stream")
    assert answer.status == 0
    assert "64x48" in answer.out
    assert "gave      10.00 frames per second" in answer.out
    found = call(capsys, "check", "rtsp://somewhere/stream", "--json").lines[0]
    assert (found["frames"], found["live"], found["fault"]) == (20, True, "")


class Dead(Scripted):
    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        raise SourceError("camera: stopped after 0 frames")
        yield


def test_a_camera_that_gives_nothing_is_a_failure(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor.sources, "open_source", lambda _: Dead(2))
    answer = call(capsys, "check", "0")
    assert answer.status == 1
    assert "verdict   camera: stopped after 0 frames" in answer.out


def test_what_a_set_of_stills_holds(capsys: Capsys, tmp_path: Path) -> None:
    answer = call(capsys, "check", mvtec(tmp_path / "bottle"), "--full")
    assert answer.status == 0
    assert "bottle: layout mvtec" in answer.out
    assert "protocol  learned from train/good" in answer.out
    assert "training  6 pictures, 32x24" in answer.out
    assert "broken 3, dirty 2, good 2, 7 labelled, 71.4% of them anomalous, 5 masks" in answer.out
    assert "truth     folder names, masks for 5 of 5 defects" in answer.out
    assert "warning   6 training pictures: few" in answer.out
    assert "will work (every picture was decoded)" in answer.out
    found = call(capsys, "check", tmp_path / "bottle", "--json").lines[0]
    assert (found["layout"], found["test"]["masks"], found["will_train"]) == ("mvtec", 5, True)


def test_a_folder_of_pictures_is_a_video_unless_told(capsys: Capsys, tmp_path: Path) -> None:
    pictures(tmp_path, 20)
    video = call(capsys, "check", tmp_path)
    assert "layout video" in video.out
    assert "layout plain takes them for single pictures" in video.out
    stills = call(capsys, "check", tmp_path, "--layout", "plain")
    assert "layout plain" in stills.out
    assert "training  20 pictures" in stills.out


def test_classes_by_protocol(capsys: Capsys, tmp_path: Path) -> None:
    pictures(tmp_path / "ape", 5)
    pictures(tmp_path / "bee", 5, seed=1)
    answer = call(capsys, "check", tmp_path, "--protocol", "one-abnormal:bee")
    assert "layout image_folder" in answer.out
    assert "protocol  one-abnormal:bee" in answer.out
    assert "test      6 pictures" in answer.out
    wrong = call(capsys, "check", tmp_path, "--protocol", "two-normal:bee")
    assert wrong.status == 2
    assert "known are one-normal:CLASS and one-abnormal:CLASS" in wrong.err
