from math import inf, nan

import numpy as np
from rich.style import Style

from monitor.tui.renderables.braille import area, bar, heights
from monitor.tui.renderables.line import width_of
from monitor.tui.state.curve import Curve, held

T = 1_772_632_951.0


def filled(*points):
    curve = Curve()
    for at, score in points:
        curve.add(at, score)
    return curve


def test_each_column_is_the_highest_of_its_stretch():
    curve = filled((T - 3, 0.2), (T - 2.8, 0.9), (T - 1, 0.4))
    levels = curve.levels(T, 4, 4)
    assert np.allclose(levels, [0.9, np.nan, 0.4, np.nan], equal_nan=True)
    wide = curve.levels(T, 4, 2)  # stretches begin at even seconds
    assert np.allclose(wide, [0.9, 0.4], equal_nan=True)


def test_a_second_of_an_hour_ago_is_empty_again():
    curve = filled((T - 3600, 5.0))
    assert np.isnan(curve.levels(T, 300, 60)).all()
    assert np.isnan(curve.levels(T, 3600, 60)).all()


def test_a_clock_that_jumped_back_leaves_no_trace_of_the_future():
    curve = filled((T + 7200, 9.0), (T, 0.5))
    assert np.nanmax(curve.levels(T, 300, 60)) == np.float32(0.5)


def test_no_number_is_no_level_and_an_infinite_one_is_very_high():
    curve = filled((T - 2, nan), (T - 1, None), (T, inf))
    levels = curve.levels(T, 3, 3)
    assert np.isnan(levels[:-1]).all()
    assert levels[-1] == 1e6
    assert curve.last == inf


def test_stretches_move_in_whole_steps():
    curve = filled(*((T - back, back % 7) for back in range(400)))
    begin = T - T % 5  # of a step
    pictures = {curve.levels(begin + late, 300, 60)[:-1].tobytes() for late in range(5)}
    assert len(pictures) == 1


def test_the_threshold_is_half_way_up_and_a_score_of_it_reaches_it():
    assert heights(np.array([0.0, 1.0, 3.0, np.nan, -2.0], np.float32), 12).tolist() == [
        1,
        6,
        9,
        0,
        1,
    ]
    assert heights(np.array([1e6], np.float32), 12).tolist() == [12]


def test_filled_braille_known_by_hand():
    styles = (Style(color="blue"), Style(color="red"), Style(dim=True))
    levels = np.array([1e6, 1e6, 0.0, np.nan], np.float32)  # full, then one dot at the left
    top, low = area(levels, 2, styles)
    assert [s.text for s in low] == ["⣿", "⡀"]
    assert [s.text for s in top] == ["⣿", "⡀"]  # the threshold's dot in the second cell
    assert [s.style for s in top] == [styles[1], styles[2]]
    assert all(width_of(line) == 2 for line in (top, low))


def test_a_bar_has_its_share():
    assert bar(0.5, 8) == "━━━━╌╌╌╌"
    assert bar(nan, 4) == "╌╌╌╌"
    assert bar(7, 4) == "━━━━"


def test_a_score_stands_until_the_next_where_that_comes_soon():
    nan = np.nan
    levels = np.array([nan, 1, nan, nan, 2, nan, nan, nan, 3, nan], np.float32)
    filled = [nan, 1, 1, 1, 2, nan, nan, nan, 3, nan]
    np.testing.assert_array_equal(held(levels, 2), np.array(filled, np.float32))
    np.testing.assert_array_equal(held(levels, 0), levels)
    assert np.isnan(held(np.full(5, nan, np.float32), 3)).all()
