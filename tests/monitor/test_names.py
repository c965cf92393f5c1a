import pytest

from monitor.names import shown


@pytest.mark.parametrize("name", ["a b.png", "Tür 日本 \N{PARTY POPPER}.png", "\\n"])
def test_a_name_that_can_be_shown_is_left_alone(name: str) -> None:
    assert shown(name) == name


def test_what_would_end_the_line_or_colour_it_is_an_escape() -> None:
    name = "a\nok\r\x1b[31m\x85\u2028\udcffä\u200d.png"
    assert shown(name) == r"a\nok\r\x1b[31m\x85\u2028\udcff" + "ä\u200d.png"
