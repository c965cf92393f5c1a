"""Names that would end the line, imitate another or colour it."""

import pytest

from monitor.cli.inspect_lines import Teller
from monitor.cli.printing import print_table
from monitor.stills.judging import Judged
from monitor.stills.still import Still
from tests.monitor.cli.calling import call

Capsys = pytest.CaptureFixture[str]

NAME = "x\nok  y\x1b[31m.png"
SHOWN = r"x\nok  y\x1b[31m.png"


def test_a_verdict_is_one_line_whatever_the_name(capsys: Capsys) -> None:
    teller = Teller(as_json=False)
    teller.picture(Judged(Still(NAME, "", None, lambda: NotImplemented), None, why="broken"))
    teller.trouble(NAME)
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert f"{SHOWN}: broken" in said.out
    assert said.err == f"oddwatch: {SHOWN}\n"


def test_a_row_is_one_line_whatever_the_name(capsys: Capsys) -> None:
    print_table(["name", "n"], [[NAME, "1"]])
    assert capsys.readouterr().out == f"{'name':<20}  n\n{SHOWN}  1\n"


def test_a_check_and_a_failure_show_it_as_it_is(capsys: Capsys) -> None:
    answer = call(capsys, "check", NAME)
    assert answer.out.startswith(f"{SHOWN}: no known layout\n")
    assert "\x1b" not in answer.out
    answer = call(capsys, "calibrate", "no\x1b[31m.pt", "a.mp4")
    assert answer.err.startswith(r"oddwatch: no\x1b[31m.pt: no such model file")
