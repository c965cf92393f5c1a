"""A node's folder: the engine's configuration, its models, and the keeper. Knows nothing of Ray.

node.toml    cameras of this node; where it has none and never had, there is no such file
book.json    digest of the configuration, and the highest coordinator that was obeyed
models/      by content
out/         the engine's own: events.db, evidence, api.json
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from monitor.cluster.asking import orders_in
from monitor.cluster.keeper import ENDED, STOP_S, KeeperState
from monitor.cluster.settings import Book, model_names, node_toml
from monitor.cluster.whereabouts import reach
from monitor.files import write_atomically

STARTING_S = 60.0  # a keeper needs 2 s, and ten times that on a machine that is busy
ENGINE = (sys.executable, "-m", "monitor", "watch", "--idle", "--headless")  # drained: none
LAUNCH = (  # twice removed: Ray ends the children of its workers with them
    "import subprocess, sys; print(subprocess.Popen("
    "[sys.executable, '-m', 'monitor.cluster.keeper', sys.argv[1]], "
    "start_new_session=True, stdin=subprocess.DEVNULL, "
    "stdout=open(sys.argv[1] + '/keeper.log', 'ab'), stderr=subprocess.STDOUT).pid)"
)


class House:
    """One node's engine, from outside."""

    def __init__(
        self, folder: Path, node: str, tags: Iterable[str] = (), address: str = ""
    ) -> None:
        """`address` is the machine's, as others reach it."""
        self.folder, self.node, self.tags, self._address = folder, node, tuple(tags), address
        self._launched, self._launched_s = 0, float("-inf")  # it may not have its lock yet
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def cameras(self) -> frozenset[str]:
        """Those that its engine is told to watch."""
        return orders_in(self.folder / "node.toml").cameras

    @property
    def digest(self) -> str:
        """Of the configuration that it works by."""
        return str(self._noted().get("digest", ""))

    @property
    def generation(self) -> int:
        """Of the last coordinator that was obeyed."""
        return int(self._noted().get("generation", 0))

    @property
    def draining(self) -> bool:
        """As that coordinator told it."""
        return bool(self._noted().get("draining", False))

    def apply(
        self, book: Book, cameras: Iterable[str], generation: int, *, draining: bool = False
    ) -> None:
        """Have these watched, and no others, by that configuration.

        Raises:
            OSError: The folder cannot be written; what runs goes on.
        """
        wanted = sorted(cameras)
        self._bring_models(book, wanted)
        config = self.folder / "node.toml"
        if wanted or self._has_evidence():
            text = node_toml(book, wanted, self.folder)
            if not config.exists() or config.read_text(encoding="utf-8") != text:
                write_atomically(config, text)
                config.chmod(0o600)
        else:
            config.unlink(missing_ok=True)
        noted = {"digest": book.digest, "generation": generation, "draining": draining}
        if noted != self._noted():
            write_atomically(self.folder / "book.json", json.dumps(noted))
        self._bring_keeper(book)

    def state(self) -> KeeperState | None:
        """What the keeper last told; None: none runs."""
        if not self.keeper_pid():
            return None
        try:
            return KeeperState(**json.loads((self.folder / "state.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def keeper_pid(self) -> int:
        """0: none runs."""
        try:
            file = os.open(self.folder / "keeper.lock", os.O_RDWR)
        except OSError:
            return 0
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            said = os.pread(file, 32, 0).decode().strip()
            return int(said) if said.isdigit() else 0
        finally:
            os.close(file)
        return 0

    def stop(self) -> None:
        """End the engine and its keeper; events stay."""
        (self.folder / "node.toml").unlink(missing_ok=True)
        (self.folder / ENDED).touch()  # for a keeper that is only starting
        pid = self.keeper_pid()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        until_s = time.monotonic() + STOP_S + 15.0
        while self.keeper_pid() and time.monotonic() < until_s:
            time.sleep(0.1)

    def _has_evidence(self) -> bool:
        """An engine without cameras hands out what it has, and removes what is old."""
        return (self.folder / "out" / "events.db").exists()

    def _starting(self) -> bool:
        """Whether a keeper that was launched is on its way."""
        if time.monotonic() >= self._launched_s + STARTING_S:
            return False
        try:
            return psutil.Process(self._launched).status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def _noted(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.folder / "book.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _bring_models(self, book: Book, cameras: list[str]) -> None:
        used = {camera.model for camera in book.settings.camera if camera.name in cameras}
        place = self.folder / "models"
        place.mkdir(exist_ok=True)
        for path, name in model_names(book).items():
            if path in used and not (place / name).exists():
                if shutil.disk_usage(place).free < 2 * len(book.models[path]):
                    raise OSError(28, "no room for the model", str(place))
                write_atomically(place / name, book.models[path])

    def _bring_keeper(self, book: Book) -> None:
        told = {
            "command": list(book.engine or ENGINE),
            "store": book.cluster.store,
            "node": self.node,
            "tags": list(self.tags),
            "reach": reach(book.settings.api.host, self._address),
        }
        text = json.dumps(told)
        place = self.folder / "keeper.json"
        if not place.exists() or place.read_text() != text:
            write_atomically(place, text)
            place.chmod(0o600)
        (self.folder / ENDED).unlink(missing_ok=True)
        if not self.keeper_pid() and not self._starting():
            began = subprocess.run(  # noqa: S603
                [sys.executable, "-c", LAUNCH, str(self.folder)],
                check=True,
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
            self._launched, self._launched_s = int(began.stdout), time.monotonic()
