"""Every fault a camera, a machine or a person can bring about, against a running engine.

    python -m benchmarks.live.faults [NAME...] [-o FOLDER]

Real RTSP servers, the real engine, a scorer that computes nothing (`null_engine`). Each row says
what was done, what was measured, and whether the condition holds. Clock steps are tested with a
fake clock (`tests/monitor/live`): this machine's own is left alone.
"""

import argparse
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import psutil

from benchmarks.live.engines import RunningEngine, leaked_memory, machine
from benchmarks.live.scenes import Receiver, SpoilingProxy, loops
from benchmarks.live.servers import Looped, RtspServer, free_port, has_rtsp_server

STALL_S = 10.0  # the engine's threshold at this rate
Result = tuple[bool, str]


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

    def kinds(self, camera: str | None = "one") -> list[str]:
        """Of its health events."""
        return [h["kind"] for h in self.engine.health() if h["camera"] == camera]

    def alerts(self, name: str = "one") -> int:
        """How many it has raised."""
        return sum(a["camera"] == name for a in self.engine.alerts())


@contextmanager
def stage(folder: Path, *, mount: str = "quiet") -> Iterator[Stage]:
    streams = loops(folder / "loops")
    many = RtspServer(mounts={f"/{i}": streams["quiet"] for i in range(3)})
    one = RtspServer(mounts={"/one": streams[mount]})
    with many, one, Receiver() as receiver:
        cameras = [{"name": f"cam{i}", "url": many.url(f"/{i}")} for i in range(3)]
        cameras.append({"name": "one", "url": one.url("/one"), "cooldown_s": 0})
        engine = RunningEngine(folder, cameras, [receiver.notice])
        with engine:
            engine.running(90)
            yield Stage(many, one, engine, receiver, streams)


def silent_stall(folder: Path) -> Result:
    """The server is held still for 30 s."""
    with stage(folder) as s:
        s.one.freeze()
        detected = s.until_not("running", 60)
        time.sleep(max(0.0, 30 - detected))
        s.one.thaw()
        recovered = s.until("running", 120)
        time.sleep(10)
        good = detected <= STALL_S + 1.5 and s.alerts() == 0
        return (
            good,
            f"found after {detected:.1f} s, back after {recovered:.1f} s, {s.alerts()} alerts",
        )


def refused(folder: Path) -> Result:
    """The server is dead for 60 s."""
    with stage(folder) as s:
        s.one.stop()
        before = s.engine.log().count("one: connecting")
        time.sleep(60)
        tries = s.engine.log().count("one: connecting") - before
        others = all(s.state(f"cam{i}") == "running" for i in range(3))
        s.one.start()
        recovered = s.until("running", 120)
        return tries <= 15 and others, f"{tries} tries in 60 s, back after {recovered:.1f} s"


def flapping(folder: Path) -> Result:
    """Up 5 s, down 5 s, for three minutes."""
    with stage(folder) as s:
        for _ in range(18):
            s.one.stop()
            time.sleep(5)
            s.one.start()
            time.sleep(5)
        kinds = s.kinds()
        s.until("running", 120)
        return len(kinds) <= 4 and s.alerts() == 0, f"events: {', '.join(kinds)}"


def all_at_once(folder: Path) -> Result:
    """Both servers are held still for 30 s."""
    with stage(folder) as s:
        s.many.freeze()
        s.one.freeze()
        time.sleep(30)
        s.many.thaw()
        s.one.thaw()
        recovered = s.engine.running(180)
        host = s.kinds(None).count("host")
        single = sum(len(s.kinds(f"cam{i}")) for i in range(3)) + len(s.kinds())
        return host == 1 and single == 0, (
            f"{host} event of the host, {single} of single cameras, back after {recovered:.1f} s"
        )


def corrupt_packets(folder: Path) -> Result:
    """A proxy flips a byte in every 20 kB for 30 s."""
    with stage(folder) as s:
        proxy = SpoilingProxy(s.one.port)
        s.engine.cameras[-1]["url"] = f"rtsp://127.0.0.1:{proxy.port}/one"
        _reload(s.engine)
        s.until("running", 60)
        proxy.spoil = True
        time.sleep(30)
        proxy.spoil = False
        recovered = s.until("running", 120)
        dead = "died" in s.engine.log()
        lost = s.engine.camera("one")["drops"].get("corrupt", 0)
        proxy.close()
        return not dead, f"{lost} corrupt, no worker died, well {recovered:.1f} s after"


def resolution_change(folder: Path) -> Result:
    """The stream goes on in another size."""
    with stage(folder) as s:
        epoch = s.engine.camera("one")["epoch"]
        s.one.stop()
        s.one.mounts["/one"] = s.loops["small"]
        s.one.start()
        s.until_not("running", 30)
        recovered = s.until("running", 90)
        now = s.engine.camera("one")
        good = now["epoch"] > epoch and now["size"] == [240, 320] and s.alerts() == 0
        return good, f"new epoch, {now['size'][1]}x{now['size'][0]}, back after {recovered:.1f} s"


def catch_up_burst(folder: Path) -> Result:
    """Held for 8 s, under the threshold, then everything comes at once."""
    with stage(folder) as s:
        for _ in range(3):
            s.one.freeze()
            time.sleep(8)
            s.one.thaw()
            time.sleep(7)
        return s.alerts() == 0, f"{s.alerts()} alerts in three bursts"


def disk_full(folder: Path) -> Result:
    """The engine's folder, a tmpfs of 48 MB, is filled."""
    place = folder / "out"
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", place], check=True)
    try:
        streams = loops(folder / "loops")
        server = RtspServer(mounts={"/one": streams["eventful"]})
        with server:
            camera = {"name": "one", "url": server.url("/one"), "gate": False}
            retention = {"least_free_bytes": 8_000_000, "every_s": 5.0}
            with RunningEngine(folder, [camera], retention=retention) as engine:
                engine.running(60)
                filler = place / "filler"
                filler.write_bytes(b"\0" * (shutil.disk_usage(place).free - 500_000))
                engine.wait(lambda: any(h["kind"] == "disk" for h in engine.health()), 60)
                scored = engine.status() or {}
                time.sleep(40)
                goes_on = engine.camera("one")["fps_scored"] > 1
                filler.unlink()
                engine.wait(lambda: _healed(engine, "disk"), 60)
                alerts = len(engine.alerts())
                return goes_on and alerts >= 1, (
                    f"said so, scored {scored.get('scored_per_s')} per s on, {alerts} alerts kept, "
                    "healed when there was room"
                )
    finally:
        subprocess.run(["umount", "-l", place], check=False)


def database_locked(folder: Path) -> Result:
    """Another process holds the write lock for 30 s, in which an event begins and ends."""
    with stage(folder, mount="eventful") as s:
        lock = sqlite3.connect(s.engine.out / "events.db", isolation_level=None)
        s.engine.wait(lambda: s.alerts() >= 1, 60)
        began = time.monotonic()
        lock.execute("BEGIN IMMEDIATE")
        time.sleep(32)
        lock.execute("ROLLBACK")
        lock.close()
        s.engine.wait(lambda: s.alerts() >= 2, 60)
        time.sleep(65)
        plants = int((time.monotonic() - began) // 30)
        found = s.alerts()
        return found >= plants and s.receiver.duplicates() == 0, (
            f"{found} alerts stored for {plants} to {plants + 2} events, "
            f"{s.receiver.duplicates()} notices twice"
        )


def capture_killed(folder: Path) -> Result:
    """Kill -9 of a capture process, five times."""
    with stage(folder) as s:
        times = []
        for _ in range(5):
            epoch = s.engine.camera("one")["epoch"]
            psutil.Process(s.engine.camera("one")["pid"]).kill()
            times.append(
                s.engine.wait(
                    lambda e=epoch: (
                        (c := s.engine.camera("one"))["epoch"] > e  # type: ignore[misc]
                        and c["state"] == "running"
                    ),
                    60,
                )
            )
            time.sleep(12)
        others = all(s.state(f"cam{i}") == "running" for i in range(3))
        p50, p95 = _spread(times)
        return others and s.alerts() == 0, f"back after p50 {p50:.1f} s, p95 {p95:.1f} s"


def scoring_killed(folder: Path) -> Result:
    """Kill -9 of the scoring process."""
    with stage(folder) as s:
        s.engine.children("spawn_main")[0].kill()
        time.sleep(1)
        recovered = s.engine.wait(
            lambda: s.engine.camera("one")["fps_scored"] > 0.5 and _healed(s.engine, "scoring"), 90
        )
        return s.alerts() == 0, f"scores again after {recovered:.1f} s, {s.alerts()} alerts"


def engine_killed(folder: Path) -> Result:
    """Kill -9 of the engine while an alert is open, then a new start."""
    with stage(folder, mount="eventful") as s:
        s.engine.wait(lambda: any(a["phase"] != "end" for a in s.engine.alerts()), 60)
        workers = s.engine.children("capture")
        s.engine.kill()
        time.sleep(5)
        left = sum(w.is_running() for w in workers)
        s.engine.start()
        s.engine.running(60)
        time.sleep(5)
        ended = [a["ended_by"] for a in s.engine.alerts()]
        twice, leaked = s.receiver.duplicates(), len(leaked_memory())
        parts = list(s.engine.out.rglob(".*.part"))
        good = "engine_restart" in ended and not (left or twice or leaked or parts)
        return good, (
            f"{left} workers left over, {leaked} rings leaked, {twice} notices twice, "
            f"{len(parts)} half-written files; open alerts ended as {ended[-1]}"
        )


def unreachable(folder: Path) -> Result:
    """A camera on a closed port, for two minutes: nothing grows."""
    streams = loops(folder / "loops")
    server = RtspServer(mounts={"/0": streams["quiet"]})
    with server:
        cameras = [
            {"name": "cam0", "url": server.url("/0")},
            {"name": "one", "url": f"rtsp://127.0.0.1:{free_port()}/x"},
        ]
        with RunningEngine(folder, cameras) as engine:
            engine.wait(lambda: engine.camera("cam0")["state"] == "running", 60)
            time.sleep(20)
            before = figures(engine)
            time.sleep(120)
            after = figures(engine)
            flat = after["fds"] <= before["fds"] + 2 and after["children"] <= before["children"]
            state = engine.camera("one")["state"]
            return flat and state in ("backoff", "connecting", "failed"), f"{before} then {after}"


FAULTS: dict[str, Callable[[Path], Result]] = {
    "silent_stall": silent_stall,
    "refused": refused,
    "flapping": flapping,
    "all_at_once": all_at_once,
    "corrupt_packets": corrupt_packets,
    "resolution_change": resolution_change,
    "catch_up_burst": catch_up_burst,
    "disk_full": disk_full,
    "database_locked": database_locked,
    "capture_killed": capture_killed,
    "scoring_killed": scoring_killed,
    "engine_killed": engine_killed,
    "unreachable": unreachable,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*FAULTS, []], default=[])
    parser.add_argument("-o", "--out", type=Path)
    asked = parser.parse_args()
    if not has_rtsp_server():
        sys.exit("GStreamer's RTSP server is not installed; see the head of servers.py")
    print(f"{machine()}\n{'fault':<18} {'':<6} {'seconds':>7}  what was measured")
    results = {}
    for name in asked.names or FAULTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            try:
                good, text = FAULTS[name](Path(folder))
            except (TimeoutError, RuntimeError, AssertionError) as error:
                good, text = False, f"{type(error).__name__}: {error}"
        leaked = leaked_memory()
        good = good and not leaked
        text += f"; leaked {leaked}" if leaked else ""
        seconds = time.monotonic() - began
        print(f"{name:<18} {'holds' if good else 'FAILS':<6} {seconds:7.0f}  {text}", flush=True)
        results[name] = {"holds": good, "seconds": seconds, "measured": text}
    if asked.out:
        asked.out.write_text(json.dumps(results, indent=1))
    sys.exit(not all(result["holds"] for result in results.values()))


def _healed(engine: RunningEngine, kind: str) -> bool:
    mine = [h for h in engine.health() if h["kind"] == kind]
    return bool(mine) and mine[0]["ended_at"] is not None


def _reload(engine: RunningEngine) -> None:
    engine.write()
    psutil.Process(engine.pid).send_signal(signal.SIGHUP)


def figures(engine: RunningEngine) -> dict[str, float]:
    """Of the engine and all its processes."""
    tree = engine.tree()
    return {
        "MB": round(sum(p.memory_info().rss for p in tree) / 1e6),
        "fds": sum(p.num_fds() for p in tree),
        "threads": sum(p.num_threads() for p in tree),
        "children": len(tree) - 1,
    }


def _spread(times: list[float]) -> tuple[float, float]:
    cuts = quantiles(times, n=20, method="inclusive")
    return cuts[9], cuts[18]


if __name__ == "__main__":
    main()
