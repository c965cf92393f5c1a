"""The process that keeps one node's engine alive and forwards its events. Knows nothing of Ray.

    python -m monitor.cluster.keeper FOLDER

It goes on when the agent that started it, the coordinator or all of Ray is gone. It watches
FOLDER/node.toml: where the file changes the engine reads it again, where it goes the engine ends.
What stands in FOLDER/keeper.json is for itself, and holds from when it is written.
"""

import contextlib
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from monitor.cluster.asking import Asking, resolved
from monitor.cluster.reports import EngineState
from monitor.cluster.whereabouts import told_url
from monitor.errors import MonitorError
from monitor.files import write_atomically
from monitor.store_place import engine_of

ENDED = "ended"  # this file in the folder ends a keeper, or keeps one from starting
STEP_S = 0.5
FORWARD_S = 2.0
LONGEST_WAIT_S = 60.0  # between starts of an engine that dies
RELOAD_S = 60.0  # till a file that was refused is told again: the cause may lie outside it
SERVED_S = 10.0  # an engine that answered so long is well; how earlier ones ended is forgotten
TAIL_BYTES, LONGEST_LINE = 8192, 400  # of the engine's log; characters
STOP_S = 30.0  # an engine writes everything within 15 s, then it is killed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeeperState:
    """What it tells in FOLDER/state.json."""

    pid: int
    engine: EngineState
    engine_pid: int = 0
    starts: int = 0
    url: str = ""
    text: str = ""
    unsent: int = 0
    watched: tuple[str, ...] = ()  # as the engine said last


class Keeper:
    """Call `step` twice a second."""

    def __init__(self, folder: Path, command: Sequence[str] = ()) -> None:
        self.folder = folder
        self.command = command  # of its next engine
        self._config = folder / "node.toml"
        self._events = folder / "out" / "events.db"
        self._child: subprocess.Popen[bytes] | None = None
        self._pid = engine_of(self._events) or 0  # one that an earlier keeper started goes on
        self._known = self._stamp() if self._pid else 0
        self._serves_s: float | None = None  # since when it answers
        self._again_s = 0.0
        self._told_s = 0.0  # when it was last told to read its file
        self._fails = 0
        self._logged = 0  # bytes in the log as it started
        self.starts = 0
        self.text = ""  # how the last one ended, until one is well

    def step(self, now_s: float, *, refused: bool = False) -> None:
        """Start, end or reload the engine, if that is due; `refused`: it goes by an older file."""
        wanted = self._stamp()
        alive = self._alive()
        if self._pid and not alive:
            self._died(now_s)
        self._judge(now_s, wanted)
        if not wanted and alive:
            self._signal(signal.SIGTERM)
        elif wanted and not alive and now_s >= self._again_s:
            self._start(wanted)
        elif wanted and self.url() and (wanted != self._known or self._again(now_s, refused)):
            self._signal(signal.SIGHUP)
            self._known, self._told_s = wanted, now_s

    def state(self) -> EngineState:
        """How the engine is."""
        if not self._stamp():
            return "none"
        if self._pid and self.url():
            return "running"
        return "failed" if self._fails >= 3 else "starting"

    @property
    def engine_pid(self) -> int:
        """0: none runs."""
        return self._pid

    def url(self) -> str:
        """Of the engine's API, once it answers there."""
        try:
            told = json.loads((self.folder / "out" / "api.json").read_text())
        except (OSError, ValueError):
            return ""
        return str(told["url"]) if told.get("pid") == self._pid else ""

    def stop(self) -> None:
        """End the engine."""
        self._signal(signal.SIGTERM)
        until_s = time.monotonic() + STOP_S
        while self._alive() and time.monotonic() < until_s:
            time.sleep(0.1)
        self._signal(signal.SIGKILL)

    def _again(self, now_s: float, refused: bool) -> bool:  # noqa: FBT001
        return refused and now_s - self._told_s >= RELOAD_S

    def _judge(self, now_s: float, wanted: int) -> None:
        """Forget how engines ended, once one is well or there is another file to start with."""
        if not (self._pid and self.url()):
            self._serves_s = None
        elif self._serves_s is None:
            self._serves_s = now_s
        well = self._serves_s is not None and now_s - self._serves_s >= SERVED_S
        if well or wanted != self._known:
            self._fails, self._again_s = 0, now_s
        if well or not wanted:
            self.text = ""

    def _start(self, stamp: int) -> None:
        with (self.folder / "engine.log").open("ab") as sink:
            self._logged = sink.tell()
            self._child = subprocess.Popen(  # noqa: S603  this very program
                [*self.command, str(self._config)]
                if "--headless" not in self.command
                else [*self.command[:-1], str(self._config), "--headless"],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        self._pid, self._known = self._child.pid, stamp
        self.starts += 1

    def _died(self, now_s: float) -> None:
        self._fails += 1
        self._again_s = now_s + min(LONGEST_WAIT_S, 2.0 ** (self._fails - 1))
        status = None if self._child is None else self._child.returncode
        how = "" if status is None else f" (status {status})"
        said = last_line(self.folder / "engine.log", self._logged).removeprefix("oddwatch: ")
        self.text = f"its engine ended{how}: {said or 'it said nothing'}"
        self._pid, self._child = 0, None

    def _alive(self) -> bool:
        if not self._pid:
            return False
        if self._child is not None:
            return self._child.poll() is None
        return psutil.pid_exists(self._pid) and engine_of(self._events) == self._pid

    def _signal(self, number: int) -> None:
        if self._pid and self._alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def _stamp(self) -> int:
        try:
            return self._config.stat().st_mtime_ns
        except OSError:
            return 0


def last_line(log: Path, start: int = 0) -> str:
    """The newest in a log, from that byte on; what is longer than a screen's lines is cut."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:LONGEST_LINE] if lines else ""


class _Forwarding(threading.Thread):
    """By itself: a database that hangs must not keep an engine from being started again."""

    def __init__(self, keeper: Keeper, told: dict[str, Any]) -> None:
        super().__init__(name="forwarding", daemon=True)
        from monitor.cluster.forwarding import Forwarder

        self._keeper, self._reach = keeper, str(told.get("reach", ""))
        tags = tuple(told["tags"])
        events = keeper.folder / "out" / "events.db"
        self.forwarder = Forwarder(events, told["store"], told["node"], tags)
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.wait(FORWARD_S):
            self.once()

    def once(self) -> None:
        self.forwarder.step(time.monotonic(), told_url(self._reach, self._keeper.url()))


def main(folder: Path) -> int:
    """Until SIGTERM; 1: another keeper works in this folder."""
    lock = os.open(folder / "keeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 1
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    noted = (folder / "keeper.json").read_text()
    keeper = Keeper(folder)
    forwarding = _take(keeper, json.loads(noted), None)
    asking = Asking(keeper)
    asking.start()
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while not ending.wait(STEP_S) and not (folder / ENDED).exists():
        with contextlib.suppress(OSError):  # away
            text, before = (folder / "keeper.json").read_text(), noted
            noted = text
            if text != before:
                forwarding = _taken(keeper, text, forwarding)
        keeper.step(time.monotonic(), refused=asking.refused)
        _tell(keeper, asking, forwarding)
    keeper.stop()
    if forwarding is not None:  # what the engine wrote last
        forwarding.ending.set()
        forwarding.join(10.0)
        forwarding.once()
    (folder / "state.json").unlink(missing_ok=True)
    return 0


def _take(keeper: Keeper, told: dict[str, Any], before: _Forwarding | None) -> _Forwarding | None:
    """Go by what it is told; a step that hangs in the database of before is not waited for."""
    command, store = list(told["command"]), resolved(told["store"], "store")
    forwarding = _Forwarding(keeper, told | {"store": store}) if store else None
    if before is not None:
        before.ending.set()
    keeper.command = command
    if forwarding is not None:
        forwarding.start()
    return forwarding


def _taken(keeper: Keeper, text: str, before: _Forwarding | None) -> _Forwarding | None:
    """As `_take`; what another hand has written wrong changes nothing, and stands in the log."""
    try:
        return _take(keeper, json.loads(text), before)
    except (ValueError, KeyError, TypeError, MonitorError) as error:
        log.warning("keeper.json is not obeyed: %r", error)
        return before


def _tell(keeper: Keeper, asking: Asking, forwarding: _Forwarding | None) -> None:
    forwarder = None if forwarding is None else forwarding.forwarder
    texts = keeper.text or asking.text, "" if forwarder is None else forwarder.text
    state = KeeperState(
        os.getpid(),
        keeper.state(),
        keeper.engine_pid,
        keeper.starts,
        keeper.url(),
        "; ".join(text for text in texts if text),
        0 if forwarder is None else forwarder.unsent,
        asking.watched,
    )
    with contextlib.suppress(OSError):  # a full disk; the engine goes on
        write_atomically(keeper.folder / "state.json", json.dumps(asdict(state)))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
