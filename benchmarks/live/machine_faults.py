"""Rows of the fault table about the machine and the engine's own processes."""

import shutil
import sqlite3
import subprocess
import time
from datetime import datetime

import psutil

from benchmarks.live.engines import Plain, RunningEngine
from benchmarks.live.scenes import EVENT_S, Receiver, loops
from benchmarks.live.servers import RtspServer, free_port
from benchmarks.live.stage import Ground, Result, Witness, stage

KILLS = 8


def clock_step(ground: Ground) -> Result:
    """The engine's wall clock is set an hour on, and two hours back, while an alert is open."""
    with stage(ground, mount="eventful") as s, Witness(s.one.url("/one")) as witness:
        clock = ground.folder / "clock"
        begun = []
        for offset_s in (3600, -3600):
            begun.append(witness.next(90))
            s.engine.wait(lambda: any(a["phase"] != "end" for a in s.alerts()), 20)
            clock.write_text(str(offset_s))
            s.engine.wait(lambda: all(a["phase"] == "end" for a in s.alerts()), 30)
        time.sleep(5)
        spans = [_span_s(alert) for alert in s.alerts()]
        steady = all(EVENT_S - 2 <= span <= EVENT_S + 8 for span in spans)
        lost = len(begun) - len(spans)
        good = steady and not lost and _in_order(s.receiver) and s.others_run()
        said = ", ".join(f"{span:.1f}" for span in spans)
        return Result(good, f"alerts of {said} s, phases in order", lost=max(0, lost))


def disk_full(ground: Ground) -> Result:
    """The engine's folder, a tmpfs of 48 MB, is filled."""
    ground.out.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", ground.out], check=True)
    server = RtspServer(mounts={"/one": loops(ground.folder / "loops")["eventful"]})
    camera = {"name": "one", "url": server.url("/one"), "gate": False, "cooldown_s": 0}
    retention = {"least_free_bytes": 8_000_000, "every_s": 5.0}
    with server:
        engine = RunningEngine(
            ground.folder, [camera], [ground.receiver.notice], retention=retention
        )
        with engine, Witness(server.url("/one")) as witness:
            engine.running(60)
            return _fill_up(engine, witness)


def _fill_up(engine: RunningEngine, witness: Witness) -> Result:
    filler = engine.out / "filler"
    witness.next(60)
    engine.wait(lambda: all(a["phase"] == "end" for a in engine.alerts()), 30)
    filler.write_bytes(b"\0" * (shutil.disk_usage(engine.out).free - 500_000))
    engine.wait(lambda: any(h["kind"] == "disk" for h in engine.health()), 60)
    before = len(engine.alerts())
    witness.next(60)
    time.sleep(EVENT_S + 8)
    scored = engine.camera("one")["fps_scored"]
    during = engine.alerts()[: len(engine.alerts()) - before]
    filler.unlink()
    recovered = engine.wait(lambda: _healed(engine, "disk"), 60)
    witness.next(60)
    time.sleep(EVENT_S + 15)
    lost = max(0, len(witness.begun) - len(engine.alerts()))
    clips = [a["has_clip"] for a in engine.alerts()]
    good = scored > 1 and len(during) == 1 and not lost and clips[0] and not clips[1]
    text = f"said so, no clip, scored {scored:.1f} per s on, {len(during)} alert told meanwhile"
    return Result(good, text, (recovered,), lost)


def database_locked(ground: Ground) -> Result:
    """Another process holds the write lock for 30 s, in which an event begins and ends."""
    with stage(ground, mount="eventful") as s, Witness(s.one.url("/one")) as witness:
        lock = sqlite3.connect(s.engine.out / "events.db", isolation_level=None)
        witness.next(60)
        time.sleep(EVENT_S + 8)
        lock.execute("BEGIN IMMEDIATE")
        time.sleep(32)
        lock.execute("ROLLBACK")
        lock.close()
        witness.next(60)
        time.sleep(EVENT_S + 15)
        seen, found = len(witness.begun), len(s.alerts())
        return Result(found == seen, f"{found} alerts stored of {seen} events", lost=seen - found)


def capture_killed(ground: Ground) -> Result:
    """Kill -9 of a capture process, eight times, 12 s apart."""
    with stage(ground) as s:
        times = []
        for _ in range(KILLS):
            epoch = s.engine.camera("one")["epoch"]
            psutil.Process(s.engine.camera("one")["pid"]).kill()
            s.engine.wait(lambda e=epoch: s.engine.camera("one")["epoch"] > e, 60)  # type: ignore[misc]
            times.append(s.until_seen(60))
            time.sleep(12)
        kinds = s.kinds()
        one_each = len(kinds) <= KILLS and kinds.count("unstable") == 1  # which then stands for all
        good = s.others_run() and not s.alerts() and one_each
        return Result(good, f"{KILLS} times; events: {', '.join(kinds)}", tuple(times))


def scoring_killed(ground: Ground) -> Result:
    """Kill -9 of the scoring process, three times."""
    with stage(ground) as s:
        times = []
        for _ in range(3):
            s.engine.children("spawn_main")[0].kill()
            began = time.monotonic()
            time.sleep(1)
            s.engine.wait(lambda: _healed(s.engine, "scoring"), 90)
            last = s.engine.camera("one")["scored_at"]
            s.engine.wait(lambda at=last: s.engine.camera("one")["scored_at"] != at, 30)  # type: ignore[misc]
            times.append(time.monotonic() - began)
            time.sleep(5)
        kinds = s.kinds(None)
        good = not s.alerts() and kinds == ["scoring"] * 3 and s.others_run()
        return Result(good, f"{len(kinds)} events, no alert", tuple(times))


def engine_killed(ground: Ground) -> Result:
    """Kill -9 of the engine while an alert is open, then a new start."""
    with stage(ground, mount="eventful") as s:
        s.engine.wait(lambda: any(a["phase"] != "end" for a in s.engine.alerts()), 60)
        workers = s.engine.children("capture")
        before = {a["id"] for a in s.engine.alerts()}
        s.engine.kill()
        began = time.monotonic()
        time.sleep(5)
        left = sum(w.is_running() for w in workers)
        s.engine.start()
        s.engine.running(60)
        recovered = time.monotonic() - began
        time.sleep(5)
        after = {a["id"]: a["ended_by"] for a in s.engine.alerts()}
        lost = len(before - after.keys())
        good = any(after.get(id_) == "engine_restart" for id_ in before) and not left and not lost
        text = f"{left} workers left over, its open alert ended `engine_restart`"
        return Result(good, text, (recovered,), lost)


def unreachable(ground: Ground) -> Result:
    """A camera on a closed port, for five minutes: nothing grows."""
    server = RtspServer(mounts={"/0": loops(ground.folder / "loops")["quiet"]})
    cameras = [
        {"name": "cam0", "url": server.url("/0")},
        {"name": "one", "url": f"rtsp://127.0.0.1:{free_port()}/x"},
    ]
    engine = RunningEngine(ground.folder, cameras, [ground.receiver.notice])
    with server, engine:
        engine.wait(lambda: engine.camera("cam0")["state"] == "running", 60)
        time.sleep(20)
        before = engine.figures()
        time.sleep(300)
        after = engine.figures()
        flat = all(after[kind] <= before[kind] + 2 for kind in ("fds", "threads", "children"))
        kinds = [h["kind"] for h in engine.health()]
        waits = engine.camera("one")["state"] in ("backoff", "connecting", "failed")
        text = f"{before}, then {after}; events: {', '.join(kinds)}"
        return Result(flat and waits and after["MB"] <= before["MB"] + 10, text)


def _healed(engine: RunningEngine, kind: str) -> bool:
    mine = [h for h in engine.health() if h["kind"] == kind]
    return bool(mine) and all(h["ended_at"] is not None for h in mine)


def _span_s(alert: Plain) -> float:
    began, ended = (datetime.fromisoformat(alert[key]) for key in ("started_at", "ended_at"))
    return (ended - began).total_seconds()


def _in_order(receiver: Receiver) -> bool:
    """Whether each alert's phases came in the order of their revisions."""
    came: dict[object, list[int]] = {}
    for item in receiver.came:
        came.setdefault(item.get("id"), []).append(int(str(item.get("revision", 0))))
    return all(revisions == sorted(revisions) for revisions in came.values())
