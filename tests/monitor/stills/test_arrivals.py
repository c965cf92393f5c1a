"""Real files in real folders; only the clock is ours."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import monitor.stills.arrivals
from monitor.drawn import marked_jpeg
from monitor.errors import SourceError
from monitor.stills.arrivals import STILL_WRITING, Arrival, Arrivals
from monitor.stills.reading import read_picture
from tests.monitor.stills.spots import write_plate

PATIENCE_S = 5.0


@pytest.fixture
def arrivals(tmp_path: Path) -> Arrivals:
    return Arrivals(tmp_path, patience_s=PATIENCE_S)


def names(found: Iterator[Arrival]) -> list[str]:
    return [arrival.path.name for arrival in found]


def twice(arrivals: Arrivals, at_s: float = 0.0) -> list[str]:
    assert names(arrivals.poll(at_s)) == []  # seen for the first time
    return names(arrivals.poll(at_s + 1))


def test_a_whole_picture_is_given_once(arrivals: Arrivals, tmp_path: Path) -> None:
    write_plate(tmp_path / "a.png")
    assert twice(arrivals) == ["a.png"]
    assert names(arrivals.poll(2)) == []
    assert arrivals.waiting == 0


def test_a_file_that_grows_is_waited_for(arrivals: Arrivals, tmp_path: Path) -> None:
    content = write_plate(tmp_path / "whole" / "a.png").read_bytes()
    (tmp_path / "whole" / "a.png").unlink()
    target = tmp_path / "a.png"
    for now_s, size in enumerate((100, 500, 900)):
        target.write_bytes(content[:size])
        assert names(arrivals.poll(now_s)) == []
    target.write_bytes(content)
    assert names(arrivals.poll(3)) == []
    (given,) = arrivals.poll(4)
    assert given.image is not None


def test_a_file_with_its_size_before_its_content_is_waited_for(
    arrivals: Arrivals, tmp_path: Path
) -> None:
    content = write_plate(tmp_path / ".elsewhere.png").read_bytes()
    (tmp_path / "a.png").write_bytes(bytes(len(content)))
    assert twice(arrivals) == []  # it stands still, and is no picture yet
    (tmp_path / "a.png").write_bytes(content)
    os.utime(tmp_path / "a.png", ns=(0, 10))  # the clock of a file system may be coarse
    assert twice(arrivals, 2) == ["a.png"]


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("holes", [False, True])
def test_what_reads_as_black_where_it_is_not_written_yet_is_waited_for(
    arrivals: Arrivals, tmp_path: Path, suffix: str, *, holes: bool
) -> None:
    content = _noise(tmp_path / f".elsewhere{suffix}").read_bytes()
    target, begun = tmp_path / f"a{suffix}", content[: len(content) // 3]
    target.write_bytes(begun if holes else begun.ljust(len(content), b"\0"))
    os.truncate(target, len(content))
    assert twice(arrivals) == []  # it stands still, and may be readable
    target.write_bytes(content)
    os.utime(target, ns=(0, 10))
    assert twice(arrivals, 2) == [target.name]
    assert arrivals.waiting == 0


def test_what_is_black_at_its_end_is_taken_as_it_is_when_patience_is_over(
    arrivals: Arrivals, tmp_path: Path
) -> None:
    Pillow.new("RGB", (64, 64)).save(tmp_path / "black.bmp")
    Pillow.new("RGB", (64, 64)).save(tmp_path / "black.png")  # its format proves it whole
    assert twice(arrivals) == ["black.png"]
    assert names(arrivals.poll(PATIENCE_S - 0.1)) == []
    (given,) = arrivals.poll(PATIENCE_S)
    assert given.image is not None
    assert not given.why


def test_a_hole_in_the_middle_is_waited_for(arrivals: Arrivals, tmp_path: Path) -> None:
    content = _noise(tmp_path / ".elsewhere.bmp", side=256).read_bytes()
    with (tmp_path / "a.bmp").open("wb") as file:
        file.write(content[:8192])
        file.seek(len(content) - 8192)
        file.write(content[-8192:])
    if (tmp_path / "a.bmp").stat().st_blocks * 512 >= len(content):
        pytest.skip("this file system has no holes")
    assert twice(arrivals) == []


def _noise(path: Path, side: int = 64) -> Path:
    pixels = np.random.default_rng(1).integers(30, 226, (side, side, 3), np.uint8)
    Pillow.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("content", [b"", b"not a picture at all"])
def test_what_stays_broken_is_named_after_the_deadline(
    arrivals: Arrivals, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert twice(arrivals) == []
    assert names(arrivals.poll(PATIENCE_S - 0.1)) == []
    (given,) = arrivals.poll(PATIENCE_S)
    assert given.image is None
    assert given.why.startswith(f"{tmp_path / 'a.png'}: expected a picture, got ")
    assert given.why.endswith("(waited 5 s for it)")
    assert names(arrivals.poll(100)) == []


def test_what_never_stands_still_is_taken_as_it_is_in_the_end(
    arrivals: Arrivals, tmp_path: Path
) -> None:
    end_s = STILL_WRITING * PATIENCE_S
    for now_s in (0.0, 1.0, end_s - 1):
        os.utime(write_plate(tmp_path / "webcam.png"), ns=(0, int(now_s * 1e9)))
        assert names(arrivals.poll(now_s)) == []
    os.utime(tmp_path / "webcam.png", ns=(0, 1))
    assert names(arrivals.poll(end_s)) == ["webcam.png"]


def test_renaming_into_place_is_an_arrival_under_the_new_name(
    arrivals: Arrivals, tmp_path: Path
) -> None:
    hidden = write_plate(tmp_path / ".a.png")
    partial = tmp_path / "b.part"
    partial.write_bytes(hidden.read_bytes())
    assert twice(arrivals) == []
    hidden.rename(tmp_path / "a.png")
    partial.rename(tmp_path / "b.png")
    assert sorted(twice(arrivals, 2)) == ["a.png", "b.png"]


def test_overwriting_is_a_new_picture_and_touching_nothing_is_not(
    arrivals: Arrivals, tmp_path: Path
) -> None:
    write_plate(tmp_path / "a.png", 1)
    assert twice(arrivals) == ["a.png"]
    write_plate(tmp_path / "a.png", 2, spot=True)
    assert twice(arrivals, 5) == ["a.png"]


def test_a_file_that_changes_while_it_is_read_is_read_again(
    arrivals: Arrivals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_plate(tmp_path / "a.png")

    def read_and_change(path: Path) -> object:
        image = read_picture(path)
        os.utime(path, ns=(0, 7))
        return image

    monkeypatch.setattr(monitor.stills.arrivals, "read_picture", read_and_change)
    assert twice(arrivals) == []
    monkeypatch.undo()
    assert path.exists()
    assert twice(arrivals, 2) == ["a.png"]


def test_folders_below_are_looked_at_except_those_beside(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, patience_s=1, beside=(tmp_path / "sorted",))
    for place in ("monday/a.png", "sorted/ok/b.png", ".trash/c.png", "notes.txt"):
        write_plate(tmp_path / "x.png").rename(_made(tmp_path / place))
    assert twice(arrivals) == ["a.png"]


def test_what_oddwatch_drew_is_no_arrival(arrivals: Arrivals, tmp_path: Path) -> None:
    write_plate(tmp_path / "a.png")
    jpeg = write_plate(tmp_path / "b.jpg").read_bytes()
    (tmp_path / "a.png.heat.jpg").write_bytes(marked_jpeg(jpeg))
    assert twice(arrivals) == ["a.png", "b.jpg"]


def _made(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    return path


def test_the_oldest_comes_first_and_numbers_are_numbers(arrivals: Arrivals, tmp_path: Path) -> None:
    for name, time_s in (("z.png", 1), ("a10.png", 2), ("a2.png", 2)):
        os.utime(write_plate(tmp_path / name), (time_s, time_s))
    assert twice(arrivals) == ["z.png", "a2.png", "a10.png"]


def test_what_is_known_is_not_given_and_asked_for_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def known(path: Path, _stamp: tuple[int, int]) -> bool:
        asked.append(path.name)
        return path.name == "old.png"

    arrivals = Arrivals(tmp_path, patience_s=1, known=known)
    write_plate(tmp_path / "old.png")
    write_plate(tmp_path / "new.png")
    assert twice(arrivals) == ["new.png"]
    assert names(arrivals.poll(5)) == []
    assert sorted(asked) == ["new.png", "old.png"]


def test_a_folder_that_is_gone_is_said_and_what_was_known_stays_so(tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    arrivals = Arrivals(folder, patience_s=1)
    write_plate(folder / "a.png")
    assert twice(arrivals) == ["a.png"]
    folder.rename(tmp_path / "away")
    with pytest.raises(SourceError, match="drop: cannot be listed: No such file"):
        names(arrivals.poll(3))
    (tmp_path / "away").rename(folder)
    assert names(arrivals.poll(4)) == []
    assert names(arrivals.poll(5)) == []


def test_hundreds_are_read_one_at_a_time(tmp_path: Path) -> None:
    content = write_plate(tmp_path / ".one.png").read_bytes()
    for number in range(300):
        (tmp_path / f"{number}.png").write_bytes(content)
    arrivals = Arrivals(tmp_path, patience_s=1)
    assert names(arrivals.poll(0)) == []
    first = next(arrivals.poll(1))  # read one at a time, when it is asked for
    assert first.image is not None
    assert arrivals.waiting == 299
