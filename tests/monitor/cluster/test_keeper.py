"""The keeper by a scripted clock and scripted engines: how failing is told, and forgotten."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from monitor.cluster.keeper import SERVED_S, Keeper, last_line


class Engine:
    """A process by script."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode


class Trial:
    """A keeper, its clock, and the engines that it started."""

    def __init__(self, folder: Path) -> None:
        (folder / "out").mkdir()
        self.folder, self.now_s, self.stamp = folder, 1000.0, 1
        self.engines: list[Engine] = []
        self.signals: list[int] = []
        self.write("a")
        self.keeper = Keeper(folder, ["engine"])

    def popen(self, *_: object, **__: object) -> Engine:
        self.engines.append(Engine(4_000_000 + len(self.engines)))
        return self.engines[-1]

    def write(self, text: str) -> None:
        config = self.folder / "node.toml"
        config.write_text(text)
        self.stamp += 1
        os.utime(config, ns=(self.stamp, self.stamp))

    def run(self, seconds: float = 0.0, *, refused: bool = False) -> None:
        for _ in range(1 + int(2 * seconds)):
            self.keeper.step(self.now_s, refused=refused)
            self.now_s += 0.5

    def serve(self) -> None:
        told = {"pid": self.engines[-1].pid, "url": "http://127.0.0.1:1"}
        (self.folder / "out" / "api.json").write_text(json.dumps(told))

    def die(self, said: str, status: int = 1) -> None:
        with (self.folder / "engine.log").open("a") as log:
            log.write(said)
        self.engines[-1].returncode = status
        self.run()

    def fail(self) -> None:
        for _ in range(3):
            self.run(10.0)
            self.die("starting\nthe port is taken\n")
        assert self.keeper.state() == "failed"


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    found = Trial(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", found.popen)
    monkeypatch.setattr(os, "kill", lambda _, number: found.signals.append(number))
    return found


def test_an_engine_that_runs_after_three_failed_starts_is_running(trial: Trial) -> None:
    trial.fail()
    trial.run(10.0)
    assert trial.keeper.state() == "failed"  # the fourth has not answered yet
    trial.serve()
    trial.run()
    assert trial.keeper.state() == "running"
    assert trial.keeper.text  # it may end again
    trial.run(SERVED_S + 1.0)
    assert trial.keeper.text == ""
    trial.die("")
    assert trial.keeper.state() == "starting"  # from the beginning, a second later
    trial.run(1.0)
    assert len(trial.engines) == 5


def test_another_configuration_is_tried_at_once(trial: Trial) -> None:
    for _ in range(8):
        trial.run(70.0)
        trial.die("no such device\n")
    trial.run(20.0)
    assert len(trial.engines) == 8  # waits a minute
    trial.write("b")
    trial.run()
    assert len(trial.engines) == 9
    assert trial.keeper.state() == "starting"
    assert trial.keeper.text  # till it is well


def test_a_file_that_is_refused_is_told_again_since_what_it_lacks_may_come(trial: Trial) -> None:
    trial.run()
    trial.serve()
    trial.write("b")
    trial.run(30.0)
    assert trial.signals == [signal.SIGHUP]
    trial.run(95.0, refused=True)
    assert trial.signals == [signal.SIGHUP] * 3  # one a minute
    trial.run(95.0)
    assert len(trial.signals) == 3


def test_how_an_engine_ended_is_told_by_the_last_line_of_its_log(trial: Trial) -> None:
    trial.run()
    trial.die("Traceback\n  File x\nOSError: the port is taken\n\n")
    assert trial.keeper.text == "its engine ended (status 1): OSError: the port is taken"
    trial.run(2.0)
    trial.die("", -9)
    assert trial.keeper.text == "its engine ended (status -9): it said nothing"


def test_an_engine_that_was_to_end_is_no_failure(trial: Trial) -> None:
    trial.run()
    trial.serve()
    (trial.folder / "node.toml").unlink()
    trial.run()
    trial.die("bye\n", 0)
    assert (trial.keeper.state(), trial.keeper.text) == ("none", "")
    trial.write("b")
    trial.run()
    assert len(trial.engines) == 2


def test_the_last_line_of_a_log_that_is_long_odd_or_away(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    assert last_line(log) == ""
    log.write_bytes(b"x\n" * 90_000 + b"caf\xe9 " + b"y" * 900 + b"\n")
    assert last_line(log).startswith("caf\ufffd yyy")
    assert len(last_line(log)) == 400
