from datetime import timedelta
from math import inf, nan

import pytest
from rich.cells import cell_len

from monitor.tui.state.fleet import tomorrow
from monitor.tui.state.words import (
    LOOKS,
    NOTHING,
    TIMES,
    fit,
    look_of,
    one_line,
    pad,
    rate,
    since,
    size,
    span,
    times,
    when,
)
from tests.monitor.tui.scripted import NOW, ago, camera


@pytest.mark.parametrize(
    ("score", "said"),
    [(1.8, "1.80" + TIMES), (12.34, "12.3" + TIMES), (240.0, "240" + TIMES), (12345.0, "1e4" + TIMES), (0.0, "0.00" + TIMES),  # noqa: E501
     (-0.2, "0.00" + TIMES), (-1e9, "0.00" + TIMES), (nan, "no score"), (None, "no score"),
     (inf, "∞" + TIMES)],
)  # fmt: skip
def test_scores_are_said_as_times_the_threshold(score, said):
    assert times(score) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.24, "0.2 s"), (48, "48 s"), (119, "119 s"), (720, "12 min"), (11_100, "3 h 05"),
     (187_200, "2 d 4 h"), (-5, "0.0 s"), (None, NOTHING), (nan, NOTHING)],
)  # fmt: skip
def test_spans_have_two_figures_at_most(seconds, said):
    assert span(seconds) == said


def test_bytes_and_rates():
    assert [size(n) for n in (0, 999, 1500, 734_000_000, 2_100_000_000_000)] == [
        "0 B", "999 B", "1.5 kB", "734 MB", "2.1 TB",
    ]  # fmt: skip
    assert [rate(x) for x in (0.8, 12.0, 72.0, None)] == [
        "0.8 a day",
        "12 a day",
        "3.0 an hour",
        NOTHING,
    ]


def test_a_moment_ahead_of_a_jumped_clock_is_no_negative_age():
    assert since(NOW + timedelta(hours=3), NOW) == 0.0


def test_a_moment_of_another_day_or_year_says_so():
    assert when(NOW, NOW) == "14:02:31"
    assert when(NOW - timedelta(days=3), NOW) == "01 Mar 14:02"
    assert when(NOW - timedelta(days=400), NOW).startswith("2025-01-28")


@pytest.mark.parametrize(
    "text",
    [
        "[red]door[/red]",
        "caf\u00e9 \N{CINEMA} \N{BUS}",
        "\u5317\u95e8\u6444\u50cf\u673a" * 9,
        "x" * 200,
    ],
)
def test_names_are_cut_to_cells_whatever_is_in_them(text):
    for cells in range(12):
        assert cell_len(fit(text, cells)) <= cells
        assert cell_len(pad(text, cells)) == cells


def test_what_would_steer_a_terminal_is_taken_out():
    assert one_line("a\x1b[2Jb\nc\td") == "a [2Jb c d"


def test_every_state_has_a_symbol_a_word_and_a_place():
    assert len({look.need for look in LOOKS.values()}) == len(LOOKS)
    assert all(look.symbol and look.word for look in LOOKS.values())
    assert look_of(camera("a", state="blind", open_alert="x")).word == "ALERT"


def test_tomorrow_morning_is_ahead():
    assert tomorrow(NOW).hour == 7
    assert tomorrow(NOW) > NOW
    assert tomorrow(ago(9 * 3600)) <= NOW
