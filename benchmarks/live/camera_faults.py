"""Rows of the fault table about one camera or its connection; each runs an engine of its own."""

import time

from benchmarks.live.scenes import SpoilingProxy
from benchmarks.live.stage import Ground, Result, Stage, stage

STALL_S = 10.0  # the engine's threshold at this rate
TICK_S = 1.5  # a second is asked for; the supervisor looks twice in one
FLAPS = 60  # up 5 s, down 5 s: ten minutes


def silent_stall(ground: Ground) -> Result:
    """The server is held still for 30 s."""
    with stage(ground) as s:
        s.one.freeze()
        detected = s.until_not("running", 60)
        time.sleep(max(0.0, 30 - detected))
        s.one.thaw()
        recovered = s.until_seen(120)
        time.sleep(10)
        alerts = len(s.alerts())
        good = detected <= STALL_S + TICK_S and not alerts and s.others_run()
        return Result(good, f"found after {detected:.1f} s, {alerts} alerts", (recovered,))


def half_open(ground: Ground) -> Result:
    """What comes is swallowed on the way for 30 s; no connection is closed."""
    with stage(ground) as s:
        proxy = _through_proxy(s)
        proxy.swallow = True
        detected = s.until_not("running", 60)
        time.sleep(max(0.0, 30 - detected))
        proxy.swallow = False
        recovered = s.until_seen(120)
        time.sleep(10)
        alerts = len(s.alerts())
        proxy.close()
        good = detected <= STALL_S + TICK_S and not alerts and s.others_run()
        return Result(good, f"found after {detected:.1f} s, {alerts} alerts", (recovered,))


def refused(ground: Ground) -> Result:
    """The server is dead for 60 s."""
    with stage(ground) as s:
        s.one.stop()
        before = s.engine.log().count("one: connecting")
        time.sleep(60)
        tries = s.engine.log().count("one: connecting") - before
        others = s.others_run()
        s.one.start()
        recovered = s.until_seen(120)
        time.sleep(5)
        good = tries <= 15 and others and not s.alerts()
        return Result(good, f"{tries} tries in 60 s", (recovered,))


def flapping(ground: Ground) -> Result:
    """Up 5 s, down 5 s, for ten minutes."""
    with stage(ground) as s:
        for _ in range(FLAPS):
            s.one.stop()
            time.sleep(5)
            s.one.start()
            time.sleep(5)
        kinds = s.kinds()
        recovered = s.until_seen(120)
        alerts = len(s.alerts())
        good = kinds.count("unstable") == 1 and len(kinds) <= 3 and not alerts and s.others_run()
        return Result(good, f"{FLAPS} times; events: {', '.join(kinds)}", (recovered,))


def all_at_once(ground: Ground) -> Result:
    """Both servers are held still for 30 s."""
    with stage(ground) as s:
        s.many.freeze()
        s.one.freeze()
        time.sleep(30)
        s.many.thaw()
        s.one.thaw()
        recovered = s.engine.running(180)
        host = s.kinds(None).count("host")
        single = sum(len(s.kinds(f"cam{i}")) for i in range(3)) + len(s.kinds())
        good = host == 1 and single == 0
        return Result(good, f"{host} event of the host, {single} of single cameras", (recovered,))


def corrupt_packets(ground: Ground) -> Result:
    """A proxy flips a byte in every 20 kB for 30 s."""
    with stage(ground) as s:
        proxy = _through_proxy(s)
        proxy.spoil = True
        time.sleep(30)
        proxy.spoil = False
        recovered = s.until_seen(120)
        dead = "died" in s.engine.log()
        lost = s.engine.camera("one")["drops"].get("corrupt", 0)
        kinds = s.kinds()
        proxy.close()
        good = not dead and len(kinds) <= 2 and s.others_run()
        text = f"{lost} corrupt frames, no worker died, {len(kinds)} events"
        return Result(good, text, (recovered,))


def resolution_change(ground: Ground) -> Result:
    """The stream goes on in another size."""
    with stage(ground) as s:
        epoch = s.engine.camera("one")["epoch"]
        s.one.stop()
        s.one.mounts["/one"] = s.loops["small"]
        s.one.start()
        s.until_not("running", 30)
        recovered = s.until_seen(90)
        now = s.engine.camera("one")
        good = now["epoch"] > epoch and now["size"] == [240, 320] and not s.alerts()
        return Result(good, f"new epoch, {now['size'][1]}x{now['size'][0]}", (recovered,))


def codec_change(ground: Ground) -> Result:
    """The stream goes on as H.265."""
    with stage(ground) as s:
        s.one.stop()
        s.one.mounts["/one"] = s.loops["h265"]
        s.one.start()
        s.until_not("running", 30)
        recovered = s.until_seen(90)
        return Result(not s.alerts(), "H.264, then H.265; no alert", (recovered,))


def catch_up_burst(ground: Ground) -> Result:
    """Held for 8 s, under the threshold, then everything comes at once."""
    with stage(ground) as s:
        for _ in range(3):
            s.one.freeze()
            time.sleep(8)
            s.one.thaw()
            time.sleep(7)
        return Result(not s.alerts(), f"{len(s.alerts())} alerts in three bursts")


def _through_proxy(s: Stage) -> SpoilingProxy:
    """Have the engine read its fourth camera through a proxy from now on."""
    proxy = SpoilingProxy(s.one.port)
    s.engine.cameras[-1]["url"] = f"rtsp://127.0.0.1:{proxy.port}/one"
    s.engine.reload()
    time.sleep(2)
    s.until_seen(60)
    return proxy
