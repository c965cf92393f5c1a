import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import CheckpointError
from monitor.datasets import open_data
from monitor.errors import CorruptFrameError, MonitorError, SourceError
from monitor.model import load_model
from monitor.sources import open_source
from monitor.sources.late import GrayFrame
from monitor.sources.listing import find_holes, natural_order
from monitor.sources.pictures import read_mask, read_picture
from monitor.stills.opening import open_stills


def still(path: Path, level: int, size: tuple[int, int] = (24, 32)) -> Path:
    cv2.imwrite(str(path), np.full((*size, 3), level, np.uint8))
    return path


def levels(folder: Path) -> list[int]:
    return [int(frame.image[0, 0, 0]) for frame in open_source(folder).frames()]


def test_order_is_natural_and_litter_is_ignored(tmp_path: Path) -> None:
    for number in (1, 2, 10, 11):
        still(tmp_path / f"{number}.png", number)
    (tmp_path / "._1.png").write_bytes(b"mac")
    (tmp_path / ".DS_Store").write_bytes(b"mac")
    (tmp_path / "Thumbs.db").write_bytes(b"win")
    assert levels(tmp_path) == [1, 2, 10, 11]


def test_clip_names_sort_naturally() -> None:
    names = ["Test10", "Test2", "01_0014", "01_0002", "1", "01"]
    got = [path.name for path in natural_order([Path(name) for name in names])]
    assert got == ["01", "1", "01_0002", "01_0014", "Test2", "Test10"]


def test_a_folder_has_no_clock_but_a_convention(tmp_path: Path) -> None:
    for number in range(7, 10):
        still(tmp_path / f"{number:03d}.png", number)
    assert open_source(tmp_path).rate_hz is None
    assert [f.time_s for f in open_source(tmp_path).frames(1)] == [0.1, 0.2]
    source = open_source(tmp_path, folder_rate_hz=5)  # as somebody says
    assert source.rate_hz == 5
    assert (source.n_frames, source.size) == (3, (24, 32))
    assert [(f.index, f.time_s) for f in source.frames(1)] == [(1, 0.2), (2, 0.4)]
    assert source.time_s(2) == 0.4


def test_holes_in_the_numbering_are_noted(tmp_path: Path) -> None:
    for number in (3, 4, 5, 8, 9, 11):
        still(tmp_path / f"{number:03d}.png", number)
    source = open_source(tmp_path)
    assert source.notes == [f"{tmp_path}: numbers missing between frames: 6-7, 10"]
    assert [f.index for f in source.frames()] == [0, 1, 2, 3, 4, 5]


def test_every_fifth_frame_is_no_hole() -> None:
    assert find_holes([Path(f"{n}.png") for n in (0, 5, 10, 15)]) == []
    assert find_holes([Path("front.png"), Path("back.png"), Path("side.png")]) == []


def test_empty_folder_and_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected pictures .*found nothing at all"):
        open_source(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "frames").mkdir()
    with pytest.raises(SourceError, match=r"found frames/, notes.txt; name the folder"):
        open_source(tmp_path)


def test_a_pipe_among_the_frames_is_named_and_not_waited_for(tmp_path: Path) -> None:
    still(tmp_path / "1.png", 1)
    os.mkfifo(tmp_path / "2.png")
    source = open_source(tmp_path)
    assert [frame.index for frame in source.frames()] == [0]
    assert source.corrupt == [f"{tmp_path / '2.png'}: expected a picture file, found a pipe"]


@pytest.mark.parametrize("opens", [open_source, open_data, open_stills, load_model])
def test_a_pipe_in_the_place_of_data_or_a_model_is_refused(
    tmp_path: Path, opens: Callable[[Path], object]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises((MonitorError, CheckpointError), match=r"pipe: expected .*, found a pipe$"):
        opens(tmp_path / "pipe")


def photograph(tmp_path: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    path = tmp_path / "noise.jpg"
    cv2.imwrite(str(path), noise)
    data = path.read_bytes()
    path.unlink()
    return data


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_corrupt_picture_is_left_out_and_named(tmp_path: Path, damage: str) -> None:
    data = photograph(tmp_path)
    for number in (1, 2, 3):
        (tmp_path / f"{number}.jpg").write_bytes(data)
    bad = {"cut": data[: len(data) // 2], "empty": b"", "text": b"hello"}[damage]
    (tmp_path / "2.jpg").write_bytes(bad)
    source = open_source(tmp_path)
    assert [f.index for f in source.frames()] == [0, 2]
    assert len(source.corrupt) == 1
    assert str(tmp_path / "2.jpg") in source.corrupt[0]
    with pytest.raises(CorruptFrameError, match=r"2.jpg"):
        list(open_source(tmp_path, strict=True).frames())


def test_a_cut_png_is_corrupt(tmp_path: Path) -> None:
    path = still(tmp_path / "a.png", 9)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptFrameError, match="cut off after"):
        read_picture(path)


def test_a_picture_of_another_size_is_left_out(tmp_path: Path) -> None:
    still(tmp_path / "1.png", 1)
    still(tmp_path / "2.png", 2, size=(10, 20))
    still(tmp_path / "3.png", 3)
    source = open_source(tmp_path)
    assert [f.index for f in source.frames()] == [0, 2]
    assert source.corrupt == [
        f"{tmp_path / '2.png'}: expected 32x24 like the first frame, got 20x10; left out"
    ]
    with pytest.raises(CorruptFrameError, match=r"expected 32x24 .*got 20x10$"):  # not left out
        list(open_source(tmp_path, strict=True).frames())


def test_a_folder_of_nothing_but_broken_pictures(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no")
    with pytest.raises(SourceError, match="none of 1 pictures can be read"):
        _ = open_source(tmp_path).size


def test_colours_are_rgb_and_gray_is_repeated(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "blue.png"), np.full((4, 4, 3), (255, 0, 0), np.uint8))  # BGR
    assert read_picture(tmp_path / "blue.png")[0, 0].tolist() == [0, 0, 255]
    cv2.imwrite(str(tmp_path / "gray.tif"), np.full((4, 4), 77, np.uint8))
    assert read_picture(tmp_path / "gray.tif")[0, 0].tolist() == [77, 77, 77]


def test_frames_of_gray_pictures_are_kept_in_one_channel(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.jpg"), np.full((4, 6), 77, np.uint8))
    still(tmp_path / "2.jpg", 99, size=(4, 6))
    gray, colour = open_source(tmp_path).frames()
    assert isinstance(gray, GrayFrame)
    assert gray.plane.tolist() == [[77] * 6] * 4
    assert [frame.image.shape for frame in (gray, colour)] == [(4, 6, 3)] * 2


def test_alpha_is_dropped(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 4, 4), (1, 2, 3, 0), np.uint8))
    assert read_picture(tmp_path / "a.png")[0, 0].tolist() == [3, 2, 1]


def test_sixteen_bits_become_eight_by_scale(tmp_path: Path) -> None:
    values: NDArray[np.uint16] = np.array([[0, 257, 32896, 65535, 65400]], np.uint16)
    cv2.imwrite(str(tmp_path / "deep.tif"), values)
    assert read_picture(tmp_path / "deep.tif")[0, :, 0].tolist() == [0, 1, 128, 255, 254]


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    path = still(tmp_path / "turned.jpg", 90, size=(16, 32))
    tag = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"  # orientation 6: turn right
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01" + tag + b"\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    data = path.read_bytes()
    path.write_bytes(data[:2] + segment + data[2:])
    assert read_picture(path).shape == (32, 16, 3)


def test_a_single_picture_is_a_source_of_one_frame(tmp_path: Path) -> None:
    source = open_source(still(tmp_path / "one.png", 5))
    assert (source.n_frames, [f.index for f in source.frames()]) == (1, [0])


def test_a_mask_is_true_where_anything_is_above_zero(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.bmp"), np.array([[0, 1, 255]], np.uint8))
    assert read_mask(tmp_path / "m.bmp").tolist() == [[False, True, True]]


def test_of_many_lost_frames_the_first_are_named_and_the_others_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        still(tmp_path / f"{number:02d}.png", 1, size=(24, 32 if number < 2 else 40))
    source = open_source(tmp_path)
    assert len(list(source.frames())) == len(list(source.frames())) == 2
    assert len(source.corrupt) == 18
    assert len(caplog.messages) == 6
    assert "02.png: expected 32x24 like the first frame, got 40x24" in caplog.messages[0]
    assert caplog.messages[-1] == f"{tmp_path.name}: and 13 more such lines"
