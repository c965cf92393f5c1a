"""Anomalies planted in live streams: how soon are they told, and is anything else?

    python -m benchmarks.live.planted --minutes 6 [--model MODEL] [--cameras 2]

The real engine with a real model, trained on the scene without its events unless one is given. In
each stream the square turns red and leaps for five seconds of every thirty. When that begins is
seen by a reader of the same stream; when it is told, by a webhook.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.live.engines import RunningEngine, machine
from benchmarks.live.load import trained
from benchmarks.live.scenes import EVENT_S, FPS, QUIET_S, Receiver, quiet
from benchmarks.live.servers import RtspServer, encode_loop

WITHIN_S = 2.0


def leaping(index: int, size: tuple[int, int] = (360, 640)) -> NDArray[np.uint8]:
    """Usual but for five of thirty seconds, in which something red runs against the traffic."""
    image = quiet(index, size)
    if index % (FPS * (QUIET_S + EVENT_S)) >= FPS * QUIET_S:
        left = size[1] - 60 - index * 37 % (size[1] - 60)
        image[40:160, left : left + 60] = (230, 30, 30)
    return image


def beginnings(url: str, ended: threading.Event) -> Iterator[float]:
    """Wall clock at which red appears in the stream."""
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=10) as container:
        seen = False
        for frame in container.decode(video=0):
            if ended.is_set():
                return
            pixels = frame.to_ndarray(format="rgb24")[::8, ::8].astype(np.int16)
            red = ((pixels[..., 0] > 180) & (pixels[..., 1] < 90)).mean() > 0.005
            if red and not seen:
                yield time.time()
            seen = bool(red)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--detector", default="fusion")
    asked = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = asked.model or trained(asked.detector, place)
        sys.exit(not run(place, model, asked.cameras, asked.minutes))


def run(folder: Path, model: Path, cameras: int, minutes: float) -> bool:
    loop = encode_loop(folder / "a.h264", frames=FPS * (QUIET_S + EVENT_S), picture=leaping)
    server = RtspServer(mounts={f"/{i}": loop for i in range(cameras)})
    begun: list[float] = []
    ended = threading.Event()
    with server, Receiver() as receiver:
        told = [
            {"name": f"cam{i}", "url": server.url(f"/{i}"), "model": str(model), "cooldown_s": 0}
            for i in range(cameras)
        ]
        with RunningEngine(folder, told, [receiver.notice], null=False) as engine:
            engine.running(120)
            reader = threading.Thread(
                target=lambda: begun.extend(beginnings(server.url("/0"), ended)), daemon=True
            )
            reader.start()
            time.sleep(60 * minutes)
            ended.set()
            alerts = [a for a in engine.alerts() if a["camera"] == "cam0"]
    return report(begun, alerts, receiver)


def report(begun: list[float], alerts: list[dict[str, object]], receiver: Receiver) -> bool:
    news = sorted(
        item["received"]
        for item in receiver.came
        if item.get("camera") == "cam0" and item.get("phase") == "new"
    )
    delays = [next((n - b for n in news if 0 <= n - b < EVENT_S + 5), None) for b in begun[1:]]
    found = [delay for delay in delays if delay is not None]
    starts = [datetime.fromisoformat(str(a["started_at"])).timestamp() for a in alerts]
    false = sum(not any(-1 <= s - b <= EVENT_S + 5 for b in begun) for s in starts)
    print(f"events {len(delays)}, told {len(found)}, false alerts {false}")
    if found:
        print(f"told after {np.median(found):.2f} s (median), {max(found):.2f} s at most")
    return len(found) == len(delays) and bool(found) and max(found) <= WITHIN_S and not false


if __name__ == "__main__":
    main()
