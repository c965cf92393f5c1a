"""A camera's frames on their way to its model: what the worker made of them is not made again."""

import numpy as np
import pytest

from models.spec import ClipSpec
from monitor.capture.records import PictureStats
from monitor.capture.ring import Head, Ring
from monitor.clips import prepare
from monitor.live.window import CameraWindow, Polygons, Ready
from monitor.records import Image

SPEC = ClipSpec(length=3, stride=2, size=(6, 8), channels=1, target=-2)
STATS = PictureStats(*[0.0] * 7)
MARK = np.full((1, 6, 8), 99, np.uint8)  # nothing that the pictures could be made into


@pytest.fixture
def ring() -> Ring:
    return Ring.private(8, 12 * 16 * 3 + 200)


def picture(index: int) -> Image:
    return np.full((12, 16, 3), 10 * index, np.uint8)


def clip_of(ring: Ring, planes: np.ndarray | None, exclude: Polygons = ()) -> Ready:
    window = CameraWindow(ring, SPEC, 10.0, exclude=exclude)
    for index in range(5):
        head = Head(0, index, 1, index / 10, float(index), (12, 16), STATS)
        ring.write(picture(index), head, planes)
    assert window.read() == 5
    ready = window.take()
    assert ready is not None
    return ready


def test_what_lies_beside_the_pictures_goes_into_the_clip(ring: Ring) -> None:
    ready = clip_of(ring, MARK)
    assert [np.array_equal(planes, MARK) for planes in ready.clip.frames] == [True] * 3


@pytest.mark.parametrize("planes", [None, np.zeros((1, 3, 4), np.uint8)])
def test_else_it_is_made_of_them_also_where_a_model_before_took_another(
    ring: Ring,
    planes: np.ndarray | None,
) -> None:
    ready = clip_of(ring, planes)
    for made, index in zip(ready.clip.frames, (0, 2, 4), strict=True):
        assert np.array_equal(made, prepare(picture(index), SPEC))


def test_places_that_do_not_count_are_held_still_in_the_picture_itself(ring: Ring) -> None:
    everything = [[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]]
    ready = clip_of(ring, MARK, exclude=everything)
    assert max(planes.max() for planes in ready.clip.frames) < 10


def test_the_frame_that_a_clip_speaks_about_is_there_with_its_picture(ring: Ring) -> None:
    ready = clip_of(ring, MARK)
    assert (ready.clip.target.index, ready.captured.index, ready.newest_s) == (2, 2, 4.0)
    assert ready.captured.image.max() == 20
