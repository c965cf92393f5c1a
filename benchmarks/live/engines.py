"""An engine in a process of its own, its configuration, and what it says of itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

START_S = 120.0

Plain = dict[str, Any]


@dataclass
class RunningEngine:
    """Started by `with`; stopped with SIGTERM at the end."""

    folder: Path
    cameras: list[Plain]
    notices: list[Plain] = field(default_factory=list)
    null: bool = True
    engine: Plain = field(default_factory=dict)
    retention: Plain = field(default_factory=dict)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def config(self) -> Path:
        """Its file."""
        return self.folder / "engine.toml"

    @property
    def out(self) -> Path:
        """Its folder."""
        return self.folder / "out"

    @property
    def pid(self) -> int:
        """Of the engine's process."""
        assert self._process is not None
        return self._process.pid

    def write(self) -> None:
        """The configuration, as it is now."""
        parts = [
            _section("[engine]", {"folder": str(self.out), **self.engine}),
            _section("[api]", {"port": 0}),
            _section("[retention]", self.retention),
            *(_section("[[camera]]", {"model": "null.pt", **c}) for c in self.cameras),
            *(_section("[[notice]]", notice) for notice in self.notices),
        ]
        self.config.write_text("\n".join(parts))

    def start(self) -> Self:
        """Returns when its API answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write()
        log = (self.folder / "log").open("ab")
        words = ["benchmarks.live.null_engine"] if self.null else ["monitor", "watch", "--headless"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *words, str(self.config)], stdout=log, stderr=log
        )
        self.wait(lambda: bool(self.url()) and self.status() is not None, START_S)
        return self

    def url(self) -> str:
        """Of its API; empty: not yet."""
        try:
            told = json.loads((self.out / "api.json").read_text())
        except (OSError, ValueError):
            return ""
        return str(told["url"]) if told["pid"] == self.pid else ""

    def ask(self, path: str, **query: str | int) -> Any:
        """GET."""
        asked = httpx.get(f"{self.url()}{path}", params=query, timeout=10)
        asked.raise_for_status()
        return asked.json()

    def status(self) -> Plain | None:
        """Of the engine; None: it does not answer."""
        try:
            return dict(self.ask("/api/status"))
        except (httpx.HTTPError, ValueError):
            return None

    def camera(self, name: str) -> Plain:
        """One camera's status; while a reload replaces it, its state is `gone`."""
        known = {camera["name"]: camera for camera in self.ask("/api/cameras")}
        return dict(known.get(name, {"name": name, "state": "gone", "epoch": -1}))

    def alerts(self) -> list[Plain]:
        """Newest first."""
        return list(self.ask("/api/alerts", limit=500)["alerts"])

    def health(self) -> list[Plain]:
        """Newest first."""
        return list(self.ask("/api/health-events", limit=500))

    def wait(self, true: Callable[[], bool], seconds: float) -> float:
        """Until it is true; gives after how long. Raises TimeoutError."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"the engine ended:\n{self.log()[-2000:]}")
            if true():
                return time.monotonic() - began
            time.sleep(0.1)
        raise TimeoutError(f"not true within {seconds:g} s")

    def running(self, seconds: float = 60.0) -> float:
        """Until every camera runs."""
        return self.wait(
            lambda: all(c["state"] == "running" for c in self.ask("/api/cameras")), seconds
        )

    def tree(self) -> list[psutil.Process]:
        """The engine and all its children."""
        own = psutil.Process(self.pid)
        return [own, *own.children(recursive=True)]

    def children(self, word: str) -> list[psutil.Process]:
        """Whose command line holds that word, such as `capture`."""
        return [p for p in self.tree()[1:] if word in " ".join(p.cmdline())]

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text(errors="replace")

    def figures(self) -> dict[str, float]:
        """Of the engine and all its processes."""
        tree = self.tree()
        return {
            "MB": round(sum(p.memory_info().rss for p in tree) / 1e6),
            "fds": sum(p.num_fds() for p in tree),
            "threads": sum(p.num_threads() for p in tree),
            "children": len(tree) - 1,
        }

    def open_files(self) -> Counter[str]:
        """What all its processes' file descriptors are; of files the name, of others the kind."""
        found: Counter[str] = Counter()
        for process in self.tree():
            with suppress(OSError):  # that has just ended
                for entry in Path(f"/proc/{process.pid}/fd").iterdir():
                    with suppress(OSError):
                        target = entry.readlink()  # a path, or such as socket:[12345]
                        found[target.name.split(":")[0]] += 1
        return found

    def reload(self) -> None:
        """Write the configuration as it is now, and SIGHUP."""
        self.write()
        psutil.Process(self.pid).send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> float:
        """SIGTERM; how long it took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        return time.monotonic() - began

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()


def leaked_memory() -> list[str]:
    """Rings whose maker is dead."""
    names = [path.name for path in Path("/dev/shm").glob("oddwatch-*")]
    return [name for name in names if not psutil.pid_exists(int(name.split("-")[1]))]


def private_bytes(process: psutil.Process) -> int:
    """Memory of this process alone, without what it shares."""
    return int(process.memory_full_info().uss)


def _section(head: str, values: Plain) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([head, *lines, ""])


def machine() -> str:
    """For the head of a table."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
