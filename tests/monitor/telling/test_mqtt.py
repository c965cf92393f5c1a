"""MQTT against a real broker, started here; and its names, which need none."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from monitor.config.settings import NoticeSettings
from monitor.store_outbox import Waiting
from monitor.telling.mqtt import Mqtt
from monitor.telling.mqtt_topics import discovery, topic_name
from monitor.telling.sink import TellError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTICE = Waiting(1, "m", "alert", "01HAAA", 1, "door", {"x": 1}, NOON, NOON, 0, "", None, "waiting")
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def test_names_are_safe_and_stay_different() -> None:
    names = ["door", "Tor/1 +#", "Tor 1 +#", "🚪", "🚗", "a" * 100, "Tür", "front-door_2"]
    safe = [topic_name(name) for name in names]
    assert len(set(safe)) == len(names)
    assert all(name.replace("-", "_").replace("_", "a").isalnum() for name in safe)
    assert all(name.isascii() and len(name) < 60 for name in safe)
    assert (safe[0], safe[-1]) == ("door", "front-door_2")


def test_home_assistant_is_told_of_both_entities() -> None:
    configs = discovery("homeassistant", "oddwatch", "Tür 1")
    own = topic_name("Tür 1")
    assert set(configs) == {
        f"homeassistant/binary_sensor/oddwatch_{own}/anomaly/config",
        f"homeassistant/sensor/oddwatch_{own}/score/config",
    }
    first, second = configs.values()
    assert first["state_topic"] == f"oddwatch/{own}/state"
    assert first["device"] == second["device"]
    assert first["unique_id"] != second["unique_id"]
    assert [item["topic"] for item in first["availability"]] == [
        "oddwatch/availability",
        f"oddwatch/{own}/availability",
    ]


@dataclass
class Broker:
    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    heard: dict[str, list[str]] = field(default_factory=dict)

    def start(self) -> None:
        file = self.folder / "mosquitto.conf"
        file.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([str(MOSQUITTO), "-c", str(file)], **quiet)  # type: ignore[call-overload]

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def newest(self, topic: str) -> str | None:
        return self.heard.get(topic, [None])[-1]


def wait_for(condition: Callable[[], Any]) -> None:
    tick = threading.Event()
    for _ in range(3000):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("it did not come to that")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if MOSQUITTO is None:
        pytest.skip("needs mosquitto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = Broker(tmp_path, free.getsockname()[1])
    own.start()

    def hear(_: Any, __: Any, message: Any) -> None:
        own.heard.setdefault(message.topic, []).append(message.payload.decode())

    ear = paho.Client(CallbackAPIVersion.VERSION2)
    ear.on_message = hear
    ear.on_connect = lambda client, *_: client.subscribe("#", qos=1)
    ear.reconnect_delay_set(1, 1)
    ear.connect_async("127.0.0.1", own.port)
    ear.loop_start()
    yield own
    ear.disconnect()
    ear.loop_stop()
    own.stop()


def sink(broker: Broker, **values: Any) -> Mqtt:
    url = f"mqtt://127.0.0.1:{broker.port}"
    return Mqtt(NoticeSettings(kind="mqtt", url=url, timeout_s=10.0, **values))


def told(client: Mqtt) -> bool:
    try:
        client.tell(NOTICE)
    except TellError:
        return False
    return True


def test_alerts_states_and_discovery_reach_the_broker(broker: Broker) -> None:
    client = sink(broker)
    client.cameras(["door", "yard 2"])
    wait_for(lambda: broker.newest("oddwatch/availability") == "online")
    wait_for(lambda: told(client))
    client.state("door", alerting=True)
    client.score("door", 1.5)
    client.available("door", yes=False)
    wait_for(lambda: broker.newest("oddwatch/door/availability") == "offline")
    assert json.loads(broker.heard["oddwatch/door/alert"][0]) == {"x": 1}
    assert broker.newest("oddwatch/door/state") == "ON"
    assert broker.newest("oddwatch/door/score") == "1.500"
    config = "homeassistant/binary_sensor/oddwatch_door/anomaly/config"
    assert json.loads(broker.newest(config) or "")["payload_on"] == "ON"
    client.cameras(["yard 2"])
    wait_for(lambda: broker.newest(config) == "")
    client.close()
    wait_for(lambda: broker.newest("oddwatch/availability") == "offline")


def test_a_broker_that_comes_back_learns_what_is_the_case(broker: Broker) -> None:
    client = sink(broker, discovery="")
    client.cameras(["door"])
    wait_for(lambda: told(client))
    broker.stop()
    wait_for(lambda: not client._client.is_connected())
    client.state("door", alerting=True)
    with pytest.raises(TellError, match=r"the MQTT broker 127\.0\.0\.1 cannot be reached"):
        client.tell(NOTICE)
    broker.heard.clear()
    broker.start()
    wait_for(lambda: broker.newest("oddwatch/door/state") == "ON")
    wait_for(lambda: told(client))
    client.close()


def test_an_engine_that_is_killed_is_offline_by_its_last_will(broker: Broker) -> None:
    client = sink(broker, topic="house/odd")
    wait_for(lambda: broker.newest("house/odd/availability") == "online")
    connection = client._client.socket()
    assert isinstance(connection, socket.socket)
    client._client.loop_stop()
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    wait_for(lambda: broker.newest("house/odd/availability") == "offline")


def test_nobody_there_is_one_line() -> None:
    settings = NoticeSettings(kind="mqtt", url="mqtt://me:secret@127.0.0.1:1", user="me")
    client = Mqtt(settings)
    with pytest.raises(TellError, match=r"broker 127\.0\.0\.1 cannot be reached$"):
        client.tell(NOTICE)
    client.close()
