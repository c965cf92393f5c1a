from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from monitor.drawn import is_drawn, marked_jpeg, say_drawn
from monitor.evaluation.drawing import new_figure, png


@pytest.mark.parametrize("jfif", [True, False])
def test_a_marked_jpeg_is_the_same_picture(tmp_path: Path, *, jfif: bool) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (16, 24, 3), np.uint8)
    plain = cv2.imencode(".jpg", pixels)[1].tobytes()
    plain = plain if jfif else plain[:2] + plain[20:]
    (tmp_path / "plain.jpg").write_bytes(plain)
    (tmp_path / "marked.jpg").write_bytes(marked_jpeg(plain))
    assert not is_drawn(tmp_path / "plain.jpg")
    assert is_drawn(tmp_path / "marked.jpg")
    before, after = (np.asarray(Pillow.open(tmp_path / f"{n}.jpg")) for n in ("plain", "marked"))
    assert np.array_equal(before, after)
    assert Pillow.open(tmp_path / "marked.jpg").info["comment"] == b"oddwatch"


def test_a_plot_is_marked(tmp_path: Path) -> None:
    (tmp_path / "plot.png").write_bytes(png(new_figure(2, 1)))
    assert is_drawn(tmp_path / "plot.png")
    assert Pillow.open(tmp_path / "plot.png").info["Software"] == "oddwatch"


def test_what_is_not_there_is_not_drawn_and_one_is_one(tmp_path: Path) -> None:
    assert not is_drawn(tmp_path / "none.png")
    assert not is_drawn(tmp_path)
    assert say_drawn([Path("a.png")]) == "left out 1 picture that oddwatch drew, such as a.png"
    assert "2 pictures that" in say_drawn([Path("a.png"), Path("b.png")])
