"""The overlay on plain pictures, where every pixel can be told."""

import numpy as np

from monitor.overlay import Box, Heat, hottest_box, overlay, to_heat
from monitor.records import MapScale

GREY = np.full((64, 96, 3), 128, np.uint8)


def heat_at(top: int, left: int, value: float, size: int = 8) -> Heat:
    heat = np.zeros((64, 96), np.float32)
    heat[top : top + size, left : left + size] = value
    return heat


def test_normal_parts_are_left_as_they_are() -> None:
    assert (overlay(GREY, np.full((8, 8), 0.49)) == GREY).all()


def test_the_hot_part_is_coloured_and_the_input_is_not_touched() -> None:
    before = GREY.copy()
    drawn = overlay(GREY, heat_at(20, 40, 2.5))
    red, green, _ = drawn[24, 44].astype(int)
    assert red - green > 60
    assert (drawn[50, 80] == 128).all()
    assert (before == GREY).all()


def test_what_normal_maps_reach_is_outlined_and_what_is_usual_is_clear() -> None:
    scale = MapScale(usual=2.0, high=6.0)
    levels = np.array([[2.0, 4.0, 6.0, 10.0]])
    np.testing.assert_allclose(to_heat(levels, scale), [[0, 0.5, 1, 2]])
    assert hottest_box(to_heat(heat_at(20, 40, 6.0), scale), GREY) is not None
    assert (overlay(GREY, to_heat(heat_at(20, 40, 3.9), scale)) == GREY).all()


def test_without_a_scale_half_of_the_highest_value_counts() -> None:
    np.testing.assert_allclose(to_heat(np.array([[0.0, 3.0, 6.0]]), None), [[0, 1, 2]])
    assert not to_heat(np.zeros((2, 2)), None).any()


def test_the_box_lies_round_the_hottest_region_of_several() -> None:
    heat = np.maximum(heat_at(20, 40, 2.0), heat_at(50, 5, 1.5, size=12))
    assert hottest_box(heat, GREY) == Box(left=40, top=20, right=48, bottom=28)
    drawn = overlay(GREY, heat)
    assert (drawn[20 - 3, 44] == 255).all()  # the box's white line, three pixels off


def test_under_the_threshold_there_is_no_box() -> None:
    assert hottest_box(heat_at(20, 40, 0.99), GREY) is None


def test_a_small_map_is_stretched_over_the_picture() -> None:
    heat = np.zeros((4, 6))
    heat[1, 4] = 3.0
    box = hottest_box(heat, GREY)
    assert box is not None
    assert box.left <= 72 <= box.right
    assert box.top <= 24 <= box.bottom


def test_values_that_are_no_numbers_count_as_normal() -> None:
    assert (overlay(GREY, np.full((8, 8), np.nan)) == GREY).all()
    assert (overlay(GREY, np.full((8, 8), np.inf)) == GREY).all()


def test_a_region_at_the_edge_is_boxed_inside_the_picture() -> None:
    assert overlay(GREY, heat_at(0, 0, 2.0)).shape == GREY.shape
    assert overlay(GREY, np.full((2, 2), 9.0)).shape == GREY.shape
