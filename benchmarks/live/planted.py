"""Anomalies planted in live streams: how soon are they told, and is anything else?

    python -m benchmarks.live.planted --minutes 6 [--model MODEL] [--cameras 2] [--keep FOLDER]

The real engine with a real model, trained on --learned seconds of the scene without its events
unless one is given. In each of the `--cameras` streams something red runs against the traffic for
five of every thirty seconds. When that begins is seen by a reader of the same stream; when it is
told, by a webhook. Beside them a calm camera, in whose scene nothing happens, is held still, cut
off and brought back, and the light of its scene goes off and on: of that no alert may come.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.live.engines import Plain, RunningEngine, machine
from benchmarks.live.load import trained
from benchmarks.live.scenes import EVENT_S, FPS, QUIET_S, Receiver, quiet
from benchmarks.live.servers import RtspServer, encode_loop
from benchmarks.live.stage import Witness

WITHIN_S = 2.0
LOOP = FPS * (QUIET_S + EVENT_S)
DIM = 0.45  # of the light, when it is switched down
LEARNED_S = 900.0  # what a camera with `learn = "15 min"` has; from less, thresholds are cautious
STILL_S = 20.0  # over the stall threshold


def leaping(index: int, size: tuple[int, int] = (360, 640)) -> NDArray[np.uint8]:
    """Usual but for five of thirty seconds, in which something red runs against the traffic."""
    image = quiet(index, size)
    if index % LOOP >= FPS * QUIET_S:
        left = size[1] - 60 - index * 37 % (size[1] - 60)
        image[40:160, left : left + 60] = (230, 30, 30)
    return image


def switched(index: int, size: tuple[int, int] = (360, 640)) -> NDArray[np.uint8]:
    """Usual, but the light goes down after ten of thirty seconds and comes back after twenty."""
    image = quiet(index, size)
    dim = LOOP // 3 <= index % LOOP < 2 * LOOP // 3
    return (image * DIM).astype(np.uint8) if dim else image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--detector", default="fusion")
    parser.add_argument("--learned", type=float, default=LEARNED_S, help="seconds of footage")
    parser.add_argument("--keep", type=Path, help="a folder where store and evidence stay")
    asked = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        place = asked.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        model = asked.model or trained(asked.detector, place, seconds=asked.learned, minutes=2)
        sys.exit(not run(place, model, asked.cameras, asked.minutes))


def run(folder: Path, model: Path, cameras: int, minutes: float) -> bool:
    loop = encode_loop(folder / "a.h264", frames=LOOP, picture=leaping)
    calm = encode_loop(folder / "b.h264", frames=LOOP, picture=quiet)
    light = encode_loop(folder / "c.h264", frames=LOOP, picture=switched)
    server = RtspServer(mounts={f"/{i}": loop for i in range(cameras)} | {"/light": light})
    shaken = RtspServer(mounts={"/calm": calm})
    addresses = {f"cam{i}": server.url(f"/{i}") for i in range(cameras)}
    addresses |= {"light": server.url("/light"), "calm": shaken.url("/calm")}
    told = [
        {"name": name, "url": url, "model": str(model.absolute()), "cooldown_s": 0}
        for name, url in addresses.items()
    ]
    engine = RunningEngine(folder, told, null=False)
    with server, shaken, Receiver() as receiver:
        engine.notices = [receiver.notice]
        with engine:
            engine.running(120)
            engine.wait(lambda: all(c["scored_at"] for c in engine.ask("/api/cameras")), 240)
            with Witness(server.url("/0")) as witness:
                shake(shaken, engine, 60 * minutes)
            alerts = engine.alerts()
            print(f"stopped in {engine.stop():.1f} s")
    first = report(witness.begun, [a for a in alerts if a["camera"] == "cam0"], receiver)
    return silent(alerts) and first


def shake(server: RtspServer, engine: RunningEngine, seconds: float) -> None:
    """By turns: held still, and cut off, until the time is over."""
    ended = time.monotonic() + seconds
    hurt: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (server.freeze, server.thaw),
        (server.stop, server.start),
    ]
    turns = {"stalls": 0, "reconnects": 0}
    while time.monotonic() < ended:
        for name, (begin, end) in zip(turns, hurt, strict=True):
            time.sleep(15)
            begin()
            time.sleep(STILL_S)
            end()
            engine.wait(lambda: engine.camera("calm")["state"] in ("running", "degraded"), 90)
            turns[name] += 1
    print(f"the calm camera came through {turns}")


def report(begun: list[float], alerts: list[Plain], receiver: Receiver) -> bool:
    """Of one camera with events; the first event may have begun before the engine."""
    news = sorted(
        float(str(item["received"]))
        for item in receiver.came
        if item.get("camera") == "cam0" and item.get("phase") == "new"
    )
    delays = [next((n - b for n in news if 0 <= n - b < EVENT_S + 5), None) for b in begun[1:-1]]
    found = [delay for delay in delays if delay is not None]
    starts = [datetime.fromisoformat(str(a["started_at"])).timestamp() for a in alerts]
    false = sum(not any(-1 <= s - b <= EVENT_S + 5 for b in begun) for s in starts)
    print(f"events {len(delays)}, told {len(found)}, false alerts {false}")
    if found:
        print(f"told after {np.median(found):.2f} s (median), {max(found):.2f} s at most")
    return len(found) == len(delays) and bool(found) and max(found) <= WITHIN_S and not false


def silent(alerts: list[Plain]) -> bool:
    """The cameras in whose scene nothing happens."""
    counts = {n: sum(a["camera"] == n for a in alerts) for n in ("calm", "light")}
    print(f"alerts where nothing happens: {counts}")
    return not any(counts.values())


if __name__ == "__main__":
    main()
