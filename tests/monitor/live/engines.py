"""A real engine in a thread of its own, asked over its API."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from monitor.config.changes import Reloader
from monitor.config.redacting import Registry
from monitor.live.engine import Engine
from monitor.live.scoring_link import RunScorer, run_scorer

Plain = dict[str, Any]
PATIENT: Plain = {"capture": "thread", "overload": False, "stale_s": 5.0}  # of a busy machine
PATIENCE_S = 120.0  # of a test on a busy machine; what is waited for comes within seconds


def write_config(
    folder: Path, cameras: list[Plain], notices: list[Plain] | None = None, **engine: object
) -> Path:
    """A configuration with its engine in `folder`/out, and an API on any port."""
    path = folder / "engine.toml"
    parts = [
        _section("[engine]", {"folder": str(folder / "out"), **PATIENT, **engine}),
        _section("[api]", {"port": 0}),
        *(_section("[[camera]]", camera) for camera in cameras),
        *(_section("[[notice]]", notice) for notice in notices or []),
    ]
    path.write_text("\n".join(parts))
    return path


def _section(head: str, values: Plain) -> str:
    return "\n".join([head, *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""])


class Ran:
    """The engine, and its client."""

    def __init__(self, config: Path, run_scorer: RunScorer = run_scorer) -> None:
        self.engine: Engine
        self.failed: Exception | None = None
        self._config = config
        self._run_scorer = run_scorer
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="engine")

    def __enter__(self) -> "Ran":
        self.thread.start()
        assert self._ready.wait(PATIENCE_S)
        self.wait(lambda: self.failed is not None or self.engine.state == "running")
        if self.failed is not None:
            self.thread.join()
            raise self.failed
        return self

    def __exit__(self, *_: object) -> None:
        if self.thread.is_alive():
            self.stop()

    def stop(self) -> float:
        """As SIGTERM does; how long it took."""
        began_s = time.monotonic()
        self._loop.call_soon_threadsafe(self.engine.stop)
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        if self.failed is not None:
            raise self.failed
        return time.monotonic() - began_s

    def reload(self) -> None:
        """As SIGHUP does."""
        self._loop.call_soon_threadsafe(self.engine.reload)

    def ask(self, path: str, **query: object) -> Any:
        """GET."""
        asked = httpx.get(f"{self.engine.url}{path}", params=query, timeout=30)  # type: ignore[arg-type]
        asked.raise_for_status()
        return asked.json() if "json" in asked.headers["content-type"] else asked.content

    def patch(self, path: str, **body: object) -> Any:
        """PATCH."""
        asked = httpx.patch(f"{self.engine.url}{path}", json=body, timeout=30)
        asked.raise_for_status()
        return asked.json()

    def act(self, camera: str, action: str) -> None:
        """POST."""
        httpx.post(
            f"{self.engine.url}/api/cameras/{camera}/{action}", timeout=30
        ).raise_for_status()

    def camera(self, name: str) -> Plain:
        """Its status."""
        return dict(self.ask(f"/api/cameras/{name}"))

    def alerts(self) -> list[Plain]:
        """Newest first."""
        return list(self.ask("/api/alerts")["alerts"])

    def wait(self, true: Callable[[], object]) -> float:
        """Until it is true; how long it took."""
        began_s = time.monotonic()
        while not true():
            assert time.monotonic() - began_s < PATIENCE_S, "it did not come to that"
            time.sleep(0.05)
        return time.monotonic() - began_s

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            reloader = Reloader(self._config, Registry())
            self.engine = Engine(reloader.settings, self._run_scorer, reloader=reloader)
            self._ready.set()
            self._loop.run_until_complete(self.engine.run())
        except Exception as error:  # noqa: BLE001  raised again in the test's thread
            self.failed = error
        finally:
            self._ready.set()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()


@contextmanager
def leaves_nothing(folder: Path) -> Iterator[None]:
    """No threads, no shared memory, no half-written files are left behind."""
    threads = set(threading.enumerate())
    rings = set(Path("/dev/shm").glob("oddwatch-*"))
    yield
    until_s = time.monotonic() + 5
    while (left := set(threading.enumerate()) - threads) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not left, left
    ours = set(Path("/dev/shm").glob(f"oddwatch-{os.getpid()}-*")) - rings
    assert not ours
    assert not [path for path in folder.rglob(".*") if path.suffix == ".part"]
