"""The fault suite's short form: one RTSP camera, a stall, a killed worker, a notice over MQTT.

Everything is real but the networks: GStreamer's RTSP server, mosquitto, an engine in processes of
its own. The whole suite is `python -m benchmarks.live.faults`.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.live.engines import RunningEngine, leaked_memory
from benchmarks.live.scenes import EVENT_S, FPS, eventful
from benchmarks.live.servers import RtspServer, encode_loop, free_port, has_rtsp_server

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
QUIET_S = 25  # of `eventful`, before its event
STALL_S = 4.0  # told to the engine: the suite's own is 10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_rtsp_server(), reason="needs GStreamer's RTSP server"),
    pytest.mark.skipif(MOSQUITTO is None, reason="needs mosquitto"),
    pytest.mark.timeout(240),
]


@contextmanager
def broker(folder: Path, heard: list[tuple[str, str]]) -> Iterator[int]:
    """A broker, and an ear on all its topics."""
    port = free_port()
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen(
        [str(MOSQUITTO), "-c", str(folder / "mosquitto.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ear = paho.Client(CallbackAPIVersion.VERSION2)
    ear.on_message = lambda *all_: heard.append((all_[2].topic, all_[2].payload.decode()))
    ear.on_connect = lambda client, *_: client.subscribe("#", qos=1)
    ear.reconnect_delay_set(1, 1)
    ear.connect_async("127.0.0.1", port)
    ear.loop_start()
    try:
        yield port
    finally:
        ear.disconnect()
        ear.loop_stop()
        process.kill()
        process.wait()


def test_a_stall_a_kill_and_a_notice(tmp_path: Path) -> None:
    loop = encode_loop(
        tmp_path / "eventful.h264",
        frames=FPS * (QUIET_S + EVENT_S),
        picture=eventful,
        size=(180, 320),
    )
    heard: list[tuple[str, str]] = []
    with broker(tmp_path, heard) as port, RtspServer(mounts={"/one": loop}) as server:
        camera = {"name": "one", "url": server.url("/one"), "stall_s": STALL_S, "cooldown_s": 0}
        notice = {"kind": "mqtt", "url": f"mqtt://127.0.0.1:{port}"}
        with RunningEngine(tmp_path, [camera], [notice]) as engine:
            engine.running(60)
            stall(engine, server)
            kill(engine)
            engine.wait(lambda: engine.alerts() != [], 60)
            engine.wait(lambda: told(heard, engine.alerts()[-1]["id"]), 20)
            assert all(alert["camera"] == "one" for alert in engine.alerts())
            engine.wait(lambda: engine.alerts()[-1]["phase"] == "end", 30)
            assert engine.stop() < 15
    assert leaked_memory() == []
    assert not list((tmp_path / "out").rglob(".*.part"))


def stall(engine: RunningEngine, server: RtspServer) -> None:
    """The server says nothing for a while: noticed, and over when it is over."""
    server.freeze()
    found_s = engine.wait(lambda: engine.camera("one")["state"] != "running", 30)
    server.thaw()
    assert found_s >= STALL_S - 2
    engine.running(60)


def kill(engine: RunningEngine) -> None:
    """The capture process dies: another takes its place, in a new epoch."""
    before = engine.camera("one")["epoch"]
    (worker,) = engine.children("capture")
    worker.kill()
    engine.wait(lambda: engine.camera("one")["epoch"] > before, 30)
    engine.running(60)
    time.sleep(1)
    (again,) = engine.children("capture")
    assert again.pid != worker.pid


def told(heard: list[tuple[str, str]], alert_id: str) -> bool:
    """Whether a notice of this alert has come; each phase comes once."""
    said = [payload for _, payload in list(heard) if alert_id in payload]
    plain = [json.loads(payload) for payload in said]
    phases = [one.get("phase") for one in plain if "phase" in one]
    assert len(phases) == len(set(phases)), phases
    return "new" in phases
