import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor import frame_cache
from monitor.frame_cache import FrameCache, key_of


def runs(seed: int = 0, *lengths: int) -> list[NDArray[np.uint8]]:
    noise = np.random.default_rng(seed)
    return [noise.integers(0, 256, (n, 1, 4, 6), np.uint8) for n in lengths or (3, 5)]


def same(one: list[NDArray[np.uint8]] | None, other: list[NDArray[np.uint8]]) -> bool:
    return one is not None and all(map(np.array_equal, one, other)) and len(one) == len(other)


def test_what_was_kept_is_found_again_by_another_run(tmp_path: Path) -> None:
    FrameCache(tmp_path).kept("a", runs())
    found = FrameCache(tmp_path).found("a")
    assert same(found, runs())
    assert found is not None
    assert not found[0].flags.owndata  # mapped, not read
    assert FrameCache(tmp_path).found("b") is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.frames"]


def damaged(content: bytes) -> list[bytes]:
    flipped = bytearray(content)
    flipped[-7] ^= 1
    foreign = content.replace(b'"key": "a"', b'"key": "b"')
    deep = b"[" * 100_000 + b"\n"
    return [b"", b"\n", b"{}\n", deep, content[:-1], content + b"x", bytes(flipped), foreign]


@pytest.mark.parametrize("how", range(8))
def test_what_is_broken_or_another_s_is_as_if_it_were_not_there(tmp_path: Path, how: int) -> None:
    FrameCache(tmp_path).kept("a", runs())
    path = tmp_path / "a.frames"
    path.write_bytes(damaged(path.read_bytes())[how])
    cache = FrameCache(tmp_path)
    assert cache.found("a") is None
    assert same(cache.kept("a", runs()), runs())
    assert same(FrameCache(tmp_path).found("a"), runs())


def test_what_was_used_longest_ago_goes_first_and_what_is_in_use_stays(tmp_path: Path) -> None:
    one = len(next(iter(stored(tmp_path / "size"))).read_bytes())
    folder = tmp_path / "cache"
    for age, key in enumerate("cba"):
        FrameCache(folder).kept(key, runs())
        os.utime(folder / f"{key}.frames", (1e9 + age, 1e9 + age))
    cache = FrameCache(folder, 3 * one + 20)
    assert cache.found("c") is not None  # used now
    cache.kept("d", runs())
    assert {path.stem for path in folder.iterdir()} == {"a", "c", "d"}
    cache.kept("e", runs())
    assert {path.stem for path in folder.iterdir()} == {"c", "d", "e"}
    assert not cache.closed
    assert same(cache.kept("f", runs(7)), runs(7))  # all of it is in use: nothing goes
    assert cache.closed
    assert {path.stem for path in folder.iterdir()} == {"c", "d", "e"}


def stored(folder: Path) -> list[Path]:
    FrameCache(folder).kept("a", runs())
    return list(folder.iterdir())


def test_what_another_run_is_writing_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = len(next(iter(stored(tmp_path / "size"))).read_bytes())
    folder = tmp_path / "cache"
    writing, other = FrameCache(folder), FrameCache(folder, one + 20)
    rename = Path.replace

    def meanwhile(partial: Path, place: Path) -> None:
        monkeypatch.setattr(Path, "replace", rename)
        assert same(other.kept("b", runs(1)), runs(1))
        rename(partial, place)

    monkeypatch.setattr(Path, "replace", meanwhile)
    assert same(writing.kept("a", runs()), runs())
    assert not writing.closed
    assert [path.name for path in folder.iterdir()] == ["a.frames"]  # there was no room for b
    assert not other.closed
    assert other.kept("b", runs(1)) is not None  # what is whole may go
    assert [path.name for path in folder.iterdir()] == ["b.frames"]


def test_what_a_killed_run_left_half_written_goes(tmp_path: Path) -> None:
    one = len(next(iter(stored(tmp_path / "size"))).read_bytes())
    folder = tmp_path / "cache"
    folder.mkdir()
    part = folder / ".0a.frames.part"
    part.write_bytes(b"x" * one)
    os.utime(part, (1e9, 1e9))
    FrameCache(folder, one + 20).kept("a", runs())
    assert [path.name for path in folder.iterdir()] == ["a.frames"]


def test_what_is_not_a_cache_s_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x" * 500)
    cache = FrameCache(tmp_path, 450)
    cache.kept("a", runs())
    assert {path.name for path in tmp_path.iterdir()} == {"a.frames", "mine.txt"}


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_once_and_learning_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = FrameCache(tmp_path)
    monkeypatch.setattr(Path, "replace", full)
    assert same(cache.kept("a", runs()), runs())
    assert same(cache.kept("b", runs(1)), runs(1))
    assert cache.closed
    assert [record.message for record in caplog.records] == [
        f"the cache of frames in {tmp_path} cannot be written (No space left on device): decoding "
        "goes on without it"
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_nearly_full_disk_is_left_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(frame_cache, "LEAST_FREE", 2**62)
    assert same(FrameCache(tmp_path).kept("a", runs()), runs())
    assert "is left alone, as its disk has under" in caplog.text


def test_a_place_that_is_a_file_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    cache = FrameCache(tmp_path / "file" / "frames")
    assert cache.found("a") is None
    assert same(cache.kept("a", runs()), runs())
    assert "cannot be written" in caplog.text


def test_no_bytes_are_no_cache_and_leave_no_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = FrameCache(tmp_path / "none", 0)
    assert same(cache.kept("a", runs()), runs())
    assert not (tmp_path / "none").exists()
    assert caplog.text == ""


def test_a_key_changes_with_all_that_would_change_the_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    film.write_bytes(b"12")
    other.write_bytes(b"12")
    os.utime(film, (1e9, 1e9))
    os.utime(other, (1e9, 1e9))
    keys = [key_of([film], 0, 10), key_of([film], 0, 11), key_of([other], 0, 10)]
    os.utime(film, (1e9, 1e9 + 1))
    keys.append(key_of([film], 0, 10))
    film.write_bytes(b"123")
    os.utime(film, (1e9, 1e9))
    keys.append(key_of([film], 0, 10))
    monkeypatch.setattr(frame_cache, "version", lambda name: "99")
    keys.append(key_of([film], 0, 10))
    assert None not in keys
    assert len(set(keys)) == 6
    assert keys[-1] == key_of([film], 0, 10)
    assert key_of([], 0, 10) is None
    assert key_of([tmp_path / "gone.mp4"], 0, 10) is None
