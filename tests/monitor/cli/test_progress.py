import pytest

from models.detector import Step
from monitor.cli import progress
from monitor.cli.progress import LongWork


class Clock:
    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def step(index: int, spent: float) -> Step:
    return Step("generator", index, index / 10, spent, {"generator/a": 0.25, "other/b": 9.0})


def test_in_a_pipe_a_line_now_and_then(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with LongWork() as work:
        for second in range(1, 101):
            clock.now_s = 1000.0 + second
            work.step(step(second, second / 100))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "generator: step 30, loss 0.25, 70 s left",
        "generator: step 60, loss 0.25, 40 s left",
        "generator: step 90, loss 0.25, 10 s left",
    ]


def test_a_new_stage_has_its_own_time(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with LongWork() as work:
        clock.now_s += 600
        work.frames("scoring", 1, 1000)
        clock.now_s += 40
        work.frames("scoring", 250, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "scoring: 1 of 1,000 frames",
        "scoring: 250 of 1,000 frames, 2.0 minutes left",
    ]


def test_on_a_terminal_there_is_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with LongWork() as work:
        work.step(step(1, 0.5))
        work.frames("scoring", 10, None)
    captured = capsys.readouterr()
    assert captured.out == ""
