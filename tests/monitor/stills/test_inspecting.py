from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from monitor.errors import SourceError
from monitor.stills.inspecting import (
    ColourWatch,
    Inspected,
    find_pictures,
    inspect_pictures,
    is_coloured,
    still_of,
)
from tests.monitor.stills.spots import plate, spots_model, write_plate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("10.png", "2.png", "deep/er/1.png", ".hidden/3.png"):
        write_plate(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_folders_are_gone_through_in_natural_order_and_files_taken_as_named(folder: Path) -> None:
    assert [s.name for s in find_pictures([folder])] == ["2.png", "10.png", "deep/er/1.png"]
    odd = folder / "snapshot.dat"
    (folder / "2.png").rename(odd)
    assert [s.name for s in find_pictures([odd, folder, odd])] == [
        "snapshot.dat",
        "10.png",
        "deep/er/1.png",
    ]


def test_pictures_of_the_same_name_are_told_apart(folder: Path) -> None:
    other = write_plate(folder / "deep" / "10.png")
    named = [s.name for s in find_pictures([folder / "10.png", other])]
    assert named == [(folder / "10.png").as_posix(), other.as_posix()]


def test_no_picture_anywhere_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected pictures \(\.bmp, .*\), found none"):
        find_pictures([tmp_path])


def inspected(folder: Path, out: Path | None = None) -> list[Inspected]:
    return list(inspect_pictures(find_pictures([folder]), spots_model(), out=out))


def test_a_broken_or_missing_picture_is_named_and_the_rest_judged(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    write_plate(drop / "1.png", spot=True)
    (drop / "2.png").write_bytes(b"broken")
    write_plate(drop / "3.png")
    stills = [*find_pictures([drop]), still_of(drop / "missing.png")]
    found = [one.judged for one in inspect_pictures(stills, spots_model())]
    assert [one.verdict for one in found] == ["defective", "unjudged", "ok", "unjudged"]
    assert found[1].why.startswith(f"{drop / '2.png'}: expected a picture")
    assert "found nothing there" in found[3].why


def test_the_box_is_where_the_spot_is_and_the_heat_map_shows_it(tmp_path: Path) -> None:
    write_plate(tmp_path / "drop" / "sub" / "bad.png", spot=True)
    (one,) = inspected(tmp_path / "drop", tmp_path / "heat")
    box = one.judged.box
    assert box is not None
    assert (box.left, box.top, box.right, box.bottom) == (24, 8, 40, 24)
    assert one.heat == tmp_path / "heat" / "sub" / "bad.png.heat.jpg"
    drawn = cv2.imread(str(one.heat), cv2.IMREAD_COLOR_RGB)
    assert drawn is not None
    moved = np.abs(drawn.astype(int) - plate(spot=True)).max(axis=2)
    assert moved[10:22, 26:38].min() > 60  # coloured
    assert moved[40:].max() < 25  # as it was, but for JPEG


def test_heat_maps_among_the_pictures_are_not_judged_but_when_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_plate(tmp_path / "bad.png", spot=True)
    (one,) = inspected(tmp_path, tmp_path)
    assert not caplog.text
    (again,) = inspected(tmp_path, tmp_path)
    assert (again.judged.still.name, again.heat) == (one.judged.still.name, one.heat)
    assert f"left out 1 picture that oddwatch drew, such as {one.heat}" in caplog.text
    assert one.heat is not None
    assert [still.path for still in find_pictures([one.heat])] == [one.heat]


def test_a_heat_map_that_cannot_be_written_loses_no_verdict(tmp_path: Path) -> None:
    write_plate(tmp_path / "drop" / "bad.png", spot=True)
    (tmp_path / "heat").write_bytes(b"a file")
    (one,) = inspected(tmp_path / "drop", tmp_path / "heat")
    assert one.judged.verdict == "defective"
    assert one.heat is None
    assert "no heat map can be written" in one.trouble


def test_files_stay_below_the_folder_whatever_they_are_called(tmp_path: Path) -> None:
    write_plate(tmp_path / "a" / "x.png")
    write_plate(tmp_path / "b" / "x.png")
    stills = find_pictures([tmp_path / "a" / "x.png", tmp_path / "a" / ".." / "b" / "x.png"])
    found = [o.heat for o in inspect_pictures(stills, spots_model(), out=tmp_path / "heat")]
    assert all(path is not None and tmp_path / "heat" in path.parents for path in found)
    assert len(set(found)) == 2


def test_no_two_pictures_share_a_heat_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plate(tmp_path / "a" / "1.png", spot=True)
    write_plate(tmp_path / "w" / "a" / "1.png")
    write_plate(tmp_path / "w" / "a" / "12:30.png")
    monkeypatch.chdir(tmp_path / "w")
    stills = find_pictures([Path("../a/1.png"), Path("a/1.png"), Path("a")])
    found = [o.heat for o in inspect_pictures(stills, spots_model(), out=Path("out"))]
    assert [path.as_posix() for path in found if path is not None] == [
        "out/a/1.png.heat.jpg",
        "out/a/1.png-2.heat.jpg",
        "out/12:30.png.heat.jpg",
    ]
    assert all(path is not None and path.is_file() for path in found)


def test_colour_shown_to_a_gray_model_is_noticed(tmp_path: Path) -> None:
    red = plate()
    red[:8, :8] = (200, 20, 20)
    assert is_coloured(red)
    assert not is_coloured(plate())
    cv2.imwrite(str(tmp_path / "gray.jpg"), plate())
    cv2.imwrite(str(tmp_path / "red.png"), red[..., ::-1])
    for channels, names, seen in (
        (1, ["gray.jpg"], False),
        (1, ["red.png"], True),
        (3, ["red.png"], False),
    ):
        colours = ColourWatch(spots_model(1 if channels == 1 else 3))
        stills = [colours.over(still_of(tmp_path / name)) for name in names]
        list(inspect_pictures(stills, spots_model(1 if channels == 1 else 3)))
        assert colours.seen is seen


def test_an_animation_in_a_folder_is_named_rather_than_passed_over(tmp_path: Path) -> None:
    first, second = (Pillow.fromarray(plate(spot=spot)) for spot in (False, True))
    write_plate(tmp_path / "1.png")
    first.save(tmp_path / "2.gif", save_all=True, append_images=[second], duration=100)
    found = [one.judged for one in inspected(tmp_path)]
    assert [one.verdict for one in found] == ["ok", "unjudged"]
    assert "holds 2 pictures; expected one" in found[1].why
