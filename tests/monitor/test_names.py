from pathlib import Path

import pytest

from monitor.names import counted, noted, shown


@pytest.mark.parametrize("name", ["a b.png", "Tür 日本 \N{PARTY POPPER}.png", "\\n"])
def test_a_name_that_can_be_shown_is_left_alone(name: str) -> None:
    assert shown(name) == name


def test_what_would_end_the_line_or_colour_it_is_an_escape() -> None:
    name = "a\nok\r\x1b[31m\x85\u2028\udcffä\u200d.png"
    assert shown(name) == r"a\nok\r\x1b[31m\x85\u2028\udcff" + "ä\u200d.png"


def test_no_two_paths_are_noted_as_the_same_text() -> None:
    paths = [Path("/a") / name for name in ("ä.png", "\udcff", r"\udcff", "%FF", "file:")]
    texts = [noted(path) for path in paths]
    assert texts == ["/a/ä.png", "file:///a/%FF", r"/a/\udcff", "/a/%FF", "/a/file:"]


def test_one_thing_is_no_plural() -> None:
    assert [counted(n, "camera") for n in (0, 1, 1200)] == [
        "0 cameras",
        "1 camera",
        "1,200 cameras",
    ]
