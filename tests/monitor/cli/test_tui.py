"""What `oddwatch tui` refuses before it draws."""

import os
from pathlib import Path

import pytest

from monitor.cli.tui import _run
from monitor.errors import MonitorError
from monitor.store import Store
from tests.monitor.cli.calling import call


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--replay", "x", "http://127.0.0.1:1"], "--replay plays one folder"),
        (["--from", "2h"], "give --replay DIR too"),
        (["--replay", "{folder}", "--from", "2h"], "has no events.db"),
        (["--replay", "{folder}"], "no result of oddwatch score"),
        (["--replay", "{folder}/store", "--from", "soon"], "time 'soon': expected one such as"),
        (["--replay", "{folder}/store"], "it has no scores yet"),
        (["ftp://x"], "expected an engine's address"),
        (["--token", "secret"], "expected env:NAME or file:PATH"),
        (["--web", "8738"], "expected HOST:PORT"),
    ],
)
def test_wrong_use_is_one_line(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TEXTUAL_DRIVER", "textual.drivers.headless_driver:HeadlessDriver")
    (tmp_path / "store").mkdir()
    Store(tmp_path / "store" / "events.db").close()
    given = [word.format(folder=tmp_path) for word in words]
    done = call(capsys, "tui", *given)
    assert done.status in {1, 2}
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_terminal_without_a_size_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    monkeypatch.setattr("monitor.cli.tui.on_terminal", lambda: True)
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((0, 0)))
    done = call(capsys, "tui")
    assert (done.status, done.err.strip()[-24:]) == (2, "is: stty cols 80 rows 24")


def test_a_fault_of_its_own_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    from monitor.tui.app import Dashboard

    app = Dashboard([])
    app._return_code = 1  # Textual's, after it has printed a traceback
    monkeypatch.setattr(app, "run", lambda: None)
    with pytest.raises(MonitorError, match="fault of its own"):
        _run(app)
