"""What every fault is shown on: servers, a running engine, a receiver of notices, and an audit.

Rows of the fault table live in `faults`; here is what they share.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.live.engines import Plain, RunningEngine, leaked_memory
from benchmarks.live.scenes import Receiver, beginnings, loops
from benchmarks.live.servers import Looped, RtspServer
from monitor.store import Store
from monitor.store_doctor import examine


@dataclass(frozen=True)
class Result:
    """What was measured of one fault."""

    holds: bool
    text: str
    recovered_s: tuple[float, ...] = ()  # from the end of the fault, or from the kill
    lost: int = 0  # events that were seen in the stream and are not in the store


@dataclass(frozen=True)
class Audit:
    """What is left when the engine has ended; all of it should be 0."""

    twice: int = 0  # notices of an event and revision that came more than once
    untold: int = 0  # alerts in the store that no notice told of
    orphans: int = 0  # files without rows, rows without files, half-written files
    leaked: int = 0  # rings whose maker is dead
    what: tuple[str, ...] = field(default=(), compare=False)  # each orphan in words

    @property
    def clean(self) -> bool:
        """Nothing is left."""
        return self == Audit()


@dataclass
class Ground:
    """A folder for one row, and the receiver of its engine's notices."""

    folder: Path
    receiver: Receiver

    @property
    def out(self) -> Path:
        """The engine's folder."""
        return self.folder / "out"

    def audit(self) -> Audit:
        """After the engine has ended."""
        with Store(str(self.out / "events.db")) as store:
            found = examine(store, self.out, engine_runs=False)
            stored = {kept.alert.id for kept in store.find(limit=None)}
        orphans = [it for it in found if it.kind.startswith("file_") or it.kind.endswith("unended")]
        told = {str(item.get("id")) for item in self.receiver.came}
        return Audit(
            self.receiver.duplicates(),
            len(stored - told),
            len(orphans),
            len(leaked_memory()),
            tuple(f"{found.kind}: {found.text}" for found in orphans),
        )


@dataclass
class Stage:
    """Two servers: `many` for three cameras, `one` for the fourth; an engine; a receiver."""

    many: RtspServer
    one: RtspServer
    engine: RunningEngine
    receiver: Receiver
    loops: dict[str, Looped]

    def state(self, name: str = "one") -> str:
        """Of a camera."""
        return str(self.engine.camera(name)["state"])

    def until(self, state: str, seconds: float, name: str = "one") -> float:
        """How long until it is in that state."""
        return self.engine.wait(lambda: self.state(name) == state, seconds)

    def until_not(self, state: str, seconds: float, name: str = "one") -> float:
        """How long until it no longer is."""
        return self.engine.wait(lambda: self.state(name) != state, seconds)

    def until_seen(self, seconds: float, name: str = "one") -> float:
        """How long until its pictures are judged again, if perhaps as an unstable camera's."""
        return self.engine.wait(lambda: self.state(name) in ("running", "degraded"), seconds)

    def others_run(self) -> bool:
        """The three cameras beside it."""
        return all(self.state(f"cam{i}") == "running" for i in range(3))

    def kinds(self, camera: str | None = "one") -> list[str]:
        """Of its health events."""
        return [h["kind"] for h in self.engine.health() if h["camera"] == camera]

    def alerts(self, name: str = "one") -> list[Plain]:
        """That it has raised, newest first."""
        return [a for a in self.engine.alerts() if a["camera"] == name]


@contextmanager
def stage(ground: Ground, *, mount: str = "quiet") -> Iterator[Stage]:
    """Set up for one row; torn down at the end."""
    streams = loops(ground.folder / "loops")
    many = RtspServer(mounts={f"/{i}": streams["quiet"] for i in range(3)})
    one = RtspServer(mounts={"/one": streams[mount]})
    with many, one:
        cameras = [{"name": f"cam{i}", "url": many.url(f"/{i}")} for i in range(3)]
        cameras.append({"name": "one", "url": one.url("/one"), "cooldown_s": 0})
        engine = RunningEngine(ground.folder, cameras, [ground.receiver.notice])
        with engine:
            engine.running(90)
            yield Stage(many, one, engine, ground.receiver, streams)


@dataclass
class Witness:
    """Reads a stream beside the engine and notes when something red appears in it."""

    url: str
    begun: list[float] = field(default_factory=list)  # wall clock
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Witness":
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _watch(self) -> None:
        for at in beginnings(self.url, self._ended):
            self.begun.append(at)

    def next(self, seconds: float) -> float:
        """Wait for the next event; its wall clock. Raises TimeoutError."""
        known, until = len(self.begun), time.monotonic() + seconds
        while time.monotonic() < until:
            if len(self.begun) > known:
                return self.begun[-1]
            time.sleep(0.05)
        raise TimeoutError(f"no event in the stream within {seconds:g} s")
