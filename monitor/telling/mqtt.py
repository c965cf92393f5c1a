"""Telling by MQTT: notices at QoS 1, and retained what is the case now, also for Home Assistant."""

import contextlib
import json
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from monitor.config.settings import NoticeSettings
from monitor.errors import UsageError
from monitor.store_outbox import Waiting
from monitor.telling.mqtt_topics import (
    OFF,
    OFFLINE,
    ON,
    ONLINE,
    availability_topic,
    camera_topic,
    discovery,
)
from monitor.telling.sink import TellError

PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE_S = 30


class Mqtt:
    """A client that stays connected; what is retained is published anew with each connection."""

    def __init__(self, settings: NoticeSettings) -> None:
        address = urlsplit(settings.url)
        try:
            port = address.port or PORTS.get(address.scheme, 0)
        except ValueError:
            port = 0
        if not port or not address.hostname or address.scheme not in PORTS:
            raise UsageError("mqtt: url is no address such as mqtt://host:1883 or mqtts://host")
        self._settings = settings
        self._host = address.hostname
        self._topic = settings.topic.strip("/")
        self._retained: dict[str, str] = {}
        self._cameras: set[str] = set()
        self._lock = threading.RLock()
        self._refused = ""
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 60)
        self._client.will_set(availability_topic(self._topic), OFFLINE, qos=1, retain=True)
        user = settings.user or address.username
        if user:
            self._client.username_pw_set(user, settings.secret or address.password)
        if address.scheme == "mqtts":
            self._client.tls_set()
        self._client.on_connect = self._connected
        self._client.connect_async(self._host, port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    def tell(self, notice: Waiting) -> None:
        """Publish it, and wait until the broker has it.

        Raises:
            TellError: There is no connection, or the broker does not confirm in time.
        """
        if not self._client.is_connected():
            raise TellError(self._refused or f"the MQTT broker {self._host} cannot be reached")
        topic = f"{self._topic}/{notice.kind}"
        if notice.camera:
            topic = camera_topic(self._topic, notice.camera, notice.kind)
        try:
            sent = self._client.publish(topic, json.dumps(notice.payload), qos=1)
            sent.wait_for_publish(self._settings.timeout_s)
            confirmed = sent.is_published()
        except (RuntimeError, ValueError) as error:
            raise TellError(f"the MQTT broker {self._host} took nothing: {error}") from error
        if not confirmed:
            raise TellError(f"the MQTT broker {self._host} does not confirm in time")

    def cameras(self, names: Iterable[str]) -> None:
        """The cameras there are; those that were before are taken from Home Assistant."""
        wanted = {name for name in names if self._has(name)}
        with self._lock:
            for camera in self._cameras - wanted:
                for topic in (*self._discovery(camera), *self._own_topics(camera)):
                    self._retained.pop(topic, None)
                    self._publish(topic, "")
            for camera in sorted(wanted - self._cameras):
                for topic, config in self._discovery(camera).items():
                    self._keep(topic, json.dumps(config, ensure_ascii=False))
                self._keep(camera_topic(self._topic, camera, "state"), OFF)
                self.available(camera, yes=True)
            self._cameras = wanted

    def state(self, camera: str, *, alerting: bool) -> None:
        """Whether an alert goes on there; the newest counts, none is kept for later."""
        if self._has(camera):
            self._keep(camera_topic(self._topic, camera, "state"), ON if alerting else OFF)

    def available(self, camera: str, *, yes: bool) -> None:
        """Whether it can be seen at all."""
        if self._has(camera):
            topic = camera_topic(self._topic, camera, "availability")
            self._keep(topic, ONLINE if yes else OFFLINE)

    def score(self, camera: str, strength: float) -> None:
        """Its newest score, times the threshold; lost where nobody listens."""
        if self._has(camera) and self._client.is_connected():
            self._client.publish(camera_topic(self._topic, camera, "score"), f"{strength:.3f}")

    def close(self) -> None:
        """Say that the engine is gone, and hang up."""
        if self._client.is_connected():
            gone = self._client.publish(
                availability_topic(self._topic), OFFLINE, qos=1, retain=True
            )
            with contextlib.suppress(RuntimeError, ValueError):
                gone.wait_for_publish(2.0)
        self._client.disconnect()
        self._client.loop_stop()

    def _has(self, camera: str) -> bool:
        return not self._settings.cameras or camera in self._settings.cameras

    def _discovery(self, camera: str) -> dict[str, dict[str, Any]]:
        prefix = self._settings.discovery
        return discovery(prefix, self._topic, camera) if prefix else {}

    def _own_topics(self, camera: str) -> list[str]:
        return [camera_topic(self._topic, camera, what) for what in ("state", "availability")]

    def _keep(self, topic: str, text: str) -> None:
        with self._lock:
            if self._retained.get(topic) != text:
                self._retained[topic] = text
                self._publish(topic, text)

    def _publish(self, topic: str, text: str) -> None:
        if self._client.is_connected():
            self._client.publish(topic, text, qos=1, retain=True)

    def _connected(self, client: Any, _: Any, __: Any, reason: Any, ___: Any) -> None:
        """Of paho's thread, at each connection."""
        if reason.is_failure:
            self._refused = f"the MQTT broker {self._host} refuses: {reason}"
            return
        self._refused = ""
        with self._lock:
            for topic, text in self._retained.items():
                client.publish(topic, text, qos=1, retain=True)
        client.publish(availability_topic(self._topic), ONLINE, qos=1, retain=True)
