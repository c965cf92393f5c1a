"""The dashboard's own engine: what is asked and said of it when the dashboard closes."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from monitor.cli import live
from monitor.errors import MonitorError, UsageError
from tests.monitor.config.files import write
from tests.monitor.hidden import hide

RUNS, ENDS, FAILS = "import time; time.sleep(60)", "pass", "raise SystemExit(7)"


def closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, *, stop: bool
) -> tuple[str, int | None]:
    """How the engine had ended as the dashboard closed, and its status after all."""
    config = tmp_path / "watch.toml"
    config.write_text(f"""[engine]
folder = "{tmp_path / "out"}"
[[camera]]
name = "door"
url = "rtsp://127.0.0.1:9/"
learn = "15 min"
""")
    engine = subprocess.Popen([sys.executable, "-c", code])
    known: list[str] = []

    def show(_places: Sequence[str], *, ended: Callable[[], str]) -> bool:
        if code is not RUNS:
            engine.wait()
        known.append(ended())
        return stop

    monkeypatch.setattr("monitor.cli.tui.show", show)
    monkeypatch.setattr(live, "_wait_for", lambda *_: "http://127.0.0.1:1")
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: engine)
    try:
        live.run_with_dashboard(config)
        status = engine.poll()
    finally:
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
    assert closed(tmp_path, monkeypatch, RUNS, stop=False) == ("", None)
    said = capsys.readouterr().out
    assert "the engine goes on" in said
    assert f"oddwatch tui {tmp_path / 'out'} " in said


def test_it_is_stopped_where_a_person_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert closed(tmp_path, monkeypatch, RUNS, stop=True) == ("", -15)
    assert capsys.readouterr().out == "stopping the engine ...\n"


@pytest.mark.parametrize("stop", [False, True])
def test_one_that_failed_meanwhile_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stop: bool
) -> None:
    log = tmp_path / "out" / "engine.log"
    said = f"the engine has ended (status 7), nothing is watched; see {log}"
    with pytest.raises(MonitorError) as failed:
        closed(tmp_path, monkeypatch, FAILS, stop=stop)
    assert str(failed.value) == said


def test_one_that_was_stopped_by_somebody_is_not_said_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    how, status = closed(tmp_path, monkeypatch, ENDS, stop=False)
    assert (capsys.readouterr().out, status) == (f"{how}\n", 0)
    assert how.startswith("the engine has ended (status 0), nothing is watched; see ")
