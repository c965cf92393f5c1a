from io import StringIO

from rich.console import Console
from rich.text import Text

from monitor.tui.renderables.facts import Hanging


def rendered(head: str, text: str, width: int) -> list[str]:
    out = StringIO()
    Console(width=width, file=out).print(Hanging(Text(head), Text(text)))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_long_line_goes_on_under_its_text():
    lines = rendered(" 10:00:00 info    gate  ", "word " * 12, 44)
    assert len(lines) == 3
    assert lines[0].startswith(" 10:00:00 info    gate  word")
    assert all(line.index("word") == 24 for line in lines)
    assert sum(line.count("word") for line in lines) == 12


def test_a_line_without_room_beside_its_head_keeps_its_words():
    lines = rendered("✖ 12:55:51 a camera with a long name ", "the picture is dark and blurred", 40)
    assert " ".join(lines).endswith("the picture is dark and blurred")
    assert rendered("a ", "short", 40) == ["a short"]
