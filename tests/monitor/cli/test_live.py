"""The dashboard's own engine: what is asked and said of it when the dashboard closes."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from monitor.cli import live
from monitor.errors import UsageError
from tests.monitor.config.files import write
from tests.monitor.hidden import hide

RUNS, ENDS = "import time; time.sleep(60)", "raise SystemExit(7)"


def closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, *, stop: bool
) -> tuple[bool, int | None]:
    """Whether the engine ran as the dashboard closed, and its status after all."""
    config = tmp_path / "watch.toml"
    config.write_text(f"""[engine]
folder = "{tmp_path / "out"}"
[[camera]]
name = "door"
url = "rtsp://127.0.0.1:9/"
learn = "15 min"
""")
    engine = subprocess.Popen([sys.executable, "-c", code])
    known: list[bool] = []

    def show(_places: Sequence[str], *, runs: Callable[[], bool]) -> bool:
        if code is ENDS:
            engine.wait()
        known.append(runs())
        return stop

    monkeypatch.setattr("monitor.cli.tui.show", show)
    monkeypatch.setattr(live, "_wait_for", lambda *_: "http://127.0.0.1:1")
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: engine)
    live.run_with_dashboard(config)
    status = engine.poll()
    engine.kill()
    return known[0], status


@pytest.mark.parametrize(
    ("terminal", "hidden", "said"),
    [
        (False, ("uvicorn",), "the engine needs uvicorn, not installed here: pip install uvicorn"),
        (True, ("psutil",), "the engine needs psutil, not installed here: pip install psutil"),
        (True, ("textual",), "the dashboard (--headless goes without) needs textual, not inst"),
    ],
)
def test_what_is_not_installed_is_said_before_anything_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    terminal: bool,
    hidden: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setattr(live, "on_terminal", lambda: terminal)
    hide(monkeypatch, *hidden)
    with pytest.raises(UsageError) as refused:
        live.watch_config(write(tmp_path, "nothing is read yet"), headless=False)
    assert str(refused.value).startswith(said)


def test_an_engine_that_runs_is_asked_about_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert closed(tmp_path, monkeypatch, RUNS, stop=False) == (True, None)
    said = capsys.readouterr().out
    assert "the engine goes on" in said
    assert f"oddwatch tui {tmp_path / 'out'} " in said


def test_it_is_stopped_where_a_person_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert closed(tmp_path, monkeypatch, RUNS, stop=True) == (True, -15)
    assert capsys.readouterr().out == "stopping the engine ...\n"


def test_one_that_ended_by_itself_is_not_said_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert closed(tmp_path, monkeypatch, ENDS, stop=False) == (False, 7)
    said = capsys.readouterr().out
    assert said == f"the engine has ended (status 7); see {tmp_path / 'out' / 'engine.log'}\n"
