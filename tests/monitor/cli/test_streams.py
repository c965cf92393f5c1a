"""Standard streams as shells and service managers give them: full, closed, of another encoding."""

import json
import os
import subprocess
import sys

import pytest

from monitor.cli import streams

ODDWATCH = (sys.executable, "-m", "monitor")


def shell(command: str, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`command` redirects what "$@" gives."""
    return subprocess.run(
        ["sh", "-c", command, "sh", *ODDWATCH, *map(str, words)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("detectors",), ("detectors", "--json")])
def test_a_full_output_is_named_in_a_line(words: tuple[str, ...], unbuffered: str) -> None:
    ended = shell('"$@" > /dev/full', *words, PYTHONUNBUFFERED=unbuffered)
    assert ended.stderr == "oddwatch: standard output: No space left on device\n"
    assert ended.returncode == 1


def test_what_failed_before_is_said_beside_it() -> None:
    ended = shell('"$@" > /dev/full', "detectors", "--nonsense", "--json")
    assert "--nonsense" in ended.stderr
    assert ended.stderr.endswith("; standard output: No space left on device\n")
    assert (ended.stderr.count("\n"), ended.returncode) == (1, 2)


def test_closed_streams_lead_nowhere() -> None:
    ended = shell('"$@" <&- >&-', "detectors")
    assert (ended.stderr, ended.returncode) == ("", 0)
    ended = shell('"$@" 2>&-', "detectors", "--nonsense")
    assert (ended.stdout, ended.returncode) == ("", 2)


def test_no_file_takes_the_place_of_a_closed_stream() -> None:
    code = (
        "from monitor.cli.streams import ready_streams; ready_streams(); "
        "print(open('/dev/null').fileno())"
    )
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", sys.executable, "-c", code],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert int(ended.stdout) > 2


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii", "latin1"])
def test_json_is_json_in_every_encoding(encoding: str) -> None:
    name = "ü\N{PARTY POPPER}\udcff"
    ended = shell('"$@"', "check", name, "--json", PYTHONIOENCODING=encoding)
    said = ended.stdout if encoding != "latin1" else ended.stdout.replace("�", "ü")
    assert json.loads(said)["name"] == name
    ended = shell('"$@"', "check", name, PYTHONIOENCODING=encoding)
    assert r"\udcff: no known layout" in ended.stdout


def test_streams_that_are_not_the_processs_own_are_let_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sys.stdout
    streams.ready_streams()
    assert sys.stdout is before
    sys.stdout.write("\udcff\n")
    assert capsys.readouterr().out == "\\udcff\n"
