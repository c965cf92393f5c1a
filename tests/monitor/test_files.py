import json
import os
from pathlib import Path

import pytest

from monitor.files import (
    SAMPLE,
    check_folder,
    digest_by_samples,
    no_file,
    plain_path,
    same_place,
    write_atomically,
)
from monitor.model import check_writable


def test_text_is_written_as_utf8_without_newline_changes(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "ä\r\n\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa4\r\n\n"


def test_a_name_that_is_no_utf8_is_written_as_json_escapes_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", json.dumps("ä\udcff", ensure_ascii=False))
    assert (tmp_path / "a").read_bytes() == b'"\xc3\xa4\\udcff"'
    assert json.loads((tmp_path / "a").read_text("utf-8")) == "ä\udcff"


def test_an_old_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"old")
    write_atomically(tmp_path / "a", b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"new")]


def test_a_failed_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    write_atomically(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "a", b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_atomically(tmp_path / "nowhere" / "a", b"")


def test_a_place_is_the_same_by_another_name_and_keeps_the_name_it_was_given(
    tmp_path: Path,
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert plain_path(tmp_path / "real" / ".." / "link") == tmp_path / "link"
    for name in ("link", "real/../real", "real"):
        assert same_place(str(tmp_path / name), tmp_path / "real")
        assert same_place(str(tmp_path / "real"), tmp_path / name)
    assert not same_place(None, tmp_path)
    assert not same_place(str(tmp_path), tmp_path / "real")


def test_another_process_may_probe_the_same_folder_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink, probes = Path.unlink, set[str]()

    def after_another(path: Path, *, missing_ok: bool = False) -> None:
        probes.add(path.name)
        unlink(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", after_another)
    check_folder(tmp_path)
    check_writable(tmp_path / "m.pt")
    check_writable(tmp_path / "m.pt")
    assert len(probes) == 3


def test_what_would_be_waited_for_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert no_file(tmp_path / "pipe") == "a pipe"
    assert no_file(Path(os.devnull)) == "a device"
    assert no_file(tmp_path) == no_file(Path(__file__)) == no_file(tmp_path / "nothing") == ""


def test_long_files_are_known_by_samples(tmp_path: Path) -> None:
    whole = bytes(index % 251 for index in range(10 * SAMPLE))

    def digest(content: bytes, *names: str) -> str:
        paths = [tmp_path / name for name in names]
        for path in paths:
            path.write_bytes(content)
        return digest_by_samples(paths)

    one = digest(whole, "a.mp4")
    assert digest(whole, "b.mp4") == one
    for at in (0, 5 * SAMPLE, len(whole) - 1):
        assert digest(whole[:at] + b"\xff" + whole[at + 1 :], "c.mp4") != one
    assert digest(whole + b"\x00", "c.mp4") != one
    assert digest(b"", "d.mp4") != one
    several = digest(whole, "a.jpg", "b.jpg")
    assert len({one, several, digest(whole, "b.jpg", "c.jpg"), digest(whole, "a.jpg")}) == 3
