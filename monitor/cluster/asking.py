"""What a node's engine really watches, by its own word: a file is written before it is obeyed."""

import asyncio
import logging
import os
import threading
import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.config.redacting import Registry
from monitor.config.secrets import Resolver
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from monitor.api.client import Client
    from monitor.cluster.keeper import Keeper

ASK_S = 2.0
ANSWER_S = 10.0
DENIED_S = 30.0  # an engine that was given many wrong tokens answers nobody on this machine
LATE_S = 60.0  # till a camera that was told is watched; a start on a slow disk takes half of it
MOST_NAMED = 3  # cameras in a line

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Orders:
    """What stands in a node's file."""

    cameras: frozenset[str] = frozenset()
    token: str = field(default="", repr=False)  # a reference


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said."""

    cameras: Mapping[str, str] = field(default_factory=dict)  # to why it failed; empty: it runs
    refused: str = ""  # why the newest file does not hold
    silence: str = ""  # why it said nothing


SILENT = Answer(silence="it does not answer yet")


def orders_in(config: Path) -> Orders:
    """Nothing where the file is away."""
    try:
        found = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Orders()
    api: dict[str, list[str]] = found.get("api", {})
    tokens = [token for role in ("viewers", "operators", "admins") for token in api.get(role, ())]
    return Orders(
        frozenset(camera["name"] for camera in found.get("camera", ())), next(iter(tokens), "")
    )


def resolved(reference: str, what: str) -> str:
    """What a reference leads to on this machine; empty: nowhere."""
    return Resolver(Registry(), os.environ).value(reference, what) if reference else ""


class Comparison:
    """Told and done, over time."""

    def __init__(self) -> None:
        self._pid = 0
        self._told_s: dict[str, float] = {}

    def text(self, now_s: float, pid: int, told: Iterable[str], answer: Answer) -> str:
        """What is wrong, in one line; a camera that was told a moment ago is not."""
        known = self._told_s if pid == self._pid else {}  # another engine has to start first
        self._pid, self._told_s = pid, {name: known.get(name, now_s) for name in told}
        absent = sorted(self._told_s.keys() - answer.cameras.keys())
        late = [name for name in absent if now_s - self._told_s[name] >= LATE_S]
        if answer.silence:
            return f"its engine does not say what it watches: {answer.silence}" if late else ""
        words = []
        if answer.refused:
            words.append(f"its engine goes on with an earlier configuration: {answer.refused}")
        if late or (absent and answer.refused):
            words.append(f"its engine does not watch {_some(absent if answer.refused else late)}")
        failed = [n for n, why in sorted(answer.cameras.items()) if why and n in self._told_s]
        words += [f"{name}: {answer.cameras[name]}" for name in failed[:MOST_NAMED]]
        if len(failed) > MOST_NAMED:
            words.append(f"{len(failed) - MOST_NAMED} more cameras fail")
        return "; ".join(words)


class Asking(threading.Thread):
    """By itself: an engine that hangs must not keep the keeper from its work."""

    def __init__(self, keeper: "Keeper") -> None:
        super().__init__(name="asking", daemon=True)
        self._keeper, self._config = keeper, keeper.folder / "node.toml"
        self._comparison = Comparison()
        self._watched: tuple[int, tuple[str, ...]] = (0, ())
        self.text = ""
        self.refused = False  # its engine goes on with an earlier file

    @property
    def watched(self) -> tuple[str, ...]:
        """The cameras that the engine of this moment has, as it said last."""
        pid, names = self._watched
        return names if pid and pid == self._keeper.engine_pid else ()

    def run(self) -> None:
        """Until the keeper ends."""
        asyncio.run(self._work())

    async def _work(self) -> None:
        while True:
            pid, url = self._keeper.engine_pid, self._keeper.url()
            token = orders_in(self._config).token
            if not url:
                self._hear(pid, SILENT)
                await asyncio.sleep(ASK_S)
                continue
            try:
                await self._follow(pid, url, token)
            except Exception:  # one odd answer must not end the asking
                log.exception("the engine cannot be asked")
                await asyncio.sleep(DENIED_S)

    async def _follow(self, pid: int, url: str, token: str) -> None:
        """Ask one engine until there is another, or another token."""
        from monitor.api.client import Client

        async with Client(url, resolved(token, "token"), timeout_s=ANSWER_S) as client:
            while self._keeper.url() == url and orders_in(self._config).token == token:
                answer, wait_s = await ask(client)
                self._hear(pid, answer)
                await asyncio.sleep(wait_s)

    def _hear(self, pid: int, answer: Answer) -> None:
        told = orders_in(self._config).cameras
        self.text = self._comparison.text(time.monotonic(), pid, told, answer)
        if not answer.silence:
            self._watched, self.refused = (pid, tuple(answer.cameras)), bool(answer.refused)


async def ask(client: "Client") -> tuple[Answer, float]:
    """What it says, and the seconds until it may be asked again."""
    from monitor.api.client import Denied

    try:
        cameras = await client.cameras()
        health = await client.health(open_only=True)
    except MonitorError as error:
        return Answer(silence=str(error)), DENIED_S if isinstance(error, Denied) else ASK_S
    refused = [event.text for event in health if event.kind == "configuration"]
    failed = {
        camera.name: (camera.reason or "failed") if camera.state == "failed" else ""
        for camera in cameras
    }
    return Answer(failed, next(iter(refused), "")), ASK_S


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
