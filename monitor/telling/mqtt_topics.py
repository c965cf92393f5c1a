"""MQTT's names and Home Assistant's discovery: what is published where. Knows no broker."""

import hashlib
import re
import unicodedata
from typing import Any

ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"


def topic_name(camera: str) -> str:
    """A camera's name as one level of a topic and as an id; different names stay different.

    Letters, digits, `-` and `_` remain (Home Assistant allows no others in an id); what was
    changed gets eight digits of a hash.
    """
    plain = unicodedata.normalize("NFKD", camera).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")[:40]
    if plain == camera:
        return plain
    digest = hashlib.sha256(camera.encode()).hexdigest()[:8]
    return f"{plain}_{digest}" if plain else f"camera_{digest}"


def availability_topic(topic: str) -> str:
    """Of the engine; retained, and the last will."""
    return f"{topic}/availability"


def camera_topic(topic: str, camera: str, what: str) -> str:
    """Of one camera: alert, summary, health, state, score or availability."""
    return f"{topic}/{topic_name(camera)}/{what}"


def discovery(prefix: str, topic: str, camera: str) -> dict[str, dict[str, Any]]:
    """Home Assistant's configurations by topic: is there an anomaly, and how strong is it."""
    own = f"{topic_name(topic)}_{topic_name(camera)}"
    shared = {
        "availability": [
            {"topic": availability_topic(topic)},
            {"topic": camera_topic(topic, camera, "availability")},
        ],
        "availability_mode": "all",
        "device": {"identifiers": [own], "name": camera, "manufacturer": "oddwatch"},
        "origin": {"name": "oddwatch"},
    }
    alerting = {
        "name": "Anomaly",
        "unique_id": f"{own}_anomaly",
        "state_topic": camera_topic(topic, camera, "state"),
        "payload_on": ON,
        "payload_off": OFF,
        "device_class": "problem",
    }
    score = {
        "name": "Anomaly score",
        "unique_id": f"{own}_score",
        "state_topic": camera_topic(topic, camera, "score"),
        "state_class": "measurement",
        "icon": "mdi:chart-bell-curve",
    }
    return {
        f"{prefix}/binary_sensor/{own}/anomaly/config": alerting | shared,
        f"{prefix}/sensor/{own}/score/config": score | shared,
    }
