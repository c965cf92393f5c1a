"""One camera on the command line is watched by the engine, and nothing secret is written down."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from monitor.cli import one_camera
from monitor.config.loading import load_cameras
from tests.monitor.cli.calling import call

SECRET = "rtsp://me:hunter22@127.0.0.1:9/door"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    configs: list[Path] = []
    monkeypatch.setattr("monitor.cli.watch.on_terminal", lambda: True)
    monkeypatch.setattr("monitor.cli.live.run_with_dashboard", configs.append)
    for name in (one_camera.URL, one_camera.STORE):
        monkeypatch.setenv(name, "")
    return configs


def test_the_engine_gets_all_that_was_said(
    shown: list[Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "yard"
    model = tmp_path / "door.pt"
    model.touch()
    answer = call(
        capsys, "watch", SECRET, "--model", str(model), "-o", str(out), "--device", "cpu",
        "--store", "postgresql://me:hunter23@127.0.0.1:9/events",
    )  # fmt: skip
    assert answer.status == 0, answer.err
    (config,) = shown
    said = config.read_text()
    assert "hunter" not in said
    assert said.startswith(
        f"# again: oddwatch watch {config}, with ODDWATCH_CAMERA_URL and ODDWATCH_STORE set\n"
    )
    settings = load_cameras(config)
    (camera,) = settings.camera
    assert (camera.name, camera.model) == ("127.0.0.1", str(model))
    assert camera.url == "env:ODDWATCH_CAMERA_URL"
    assert os.environ["ODDWATCH_CAMERA_URL"] == SECRET
    assert settings.engine.folder == out
    assert settings.engine.device == "cpu"
    assert settings.engine.store == "env:ODDWATCH_STORE"


@pytest.mark.parametrize("asked", [["--headless"], ["--json"], ["--until-s", "5"]])
def test_lines_stay_lines(
    asked: list[str], shown: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = call(capsys, "watch", "rtsp://127.0.0.1:9/door", "--model", "none.pt", *asked)
    assert answer.status
    assert shown == []


@pytest.mark.parametrize(
    ("source", "camera"),
    [("rtsp://a/b", True), ("0", True), ("/dev/video2", True), ("http://a/b.m3u8", True),
     ("day.mp4", False), ("file:///day.mp4", False), ("folder", False)],
)  # fmt: skip
def test_what_is_a_camera(source: str, camera: bool) -> None:  # noqa: FBT001
    assert one_camera.is_camera(source) is camera


@pytest.mark.parametrize(
    ("kind", "redirected", "can"),
    [
        ("xterm-256color", (), True),
        ("dumb", (), False),
        ("xterm-256color", ("stderr",), False),
        ("xterm-256color", ("stdin",), False),
    ],
)
def test_a_dashboard_wants_a_terminal_that_can(
    kind: str, redirected: tuple[str, ...], *, can: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", kind)
    for name in ("stdin", "stdout", "stderr"):
        stream = SimpleNamespace(isatty=lambda name=name: name not in redirected)
        monkeypatch.setattr(f"sys.{name}", stream)
    assert one_camera.on_terminal() == can
