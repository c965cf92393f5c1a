"""Snapshots of live alerts: the frame of the peak, with and without its heat map, on the disk.

Clips are cut by the capture worker, out of the encoded packets. Knows nothing of the database.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.drawn import marked_jpeg
from monitor.errors import StoreError
from monitor.files import write_atomically
from monitor.overlay import overlay, to_heat
from monitor.recorder import safe_name
from monitor.records import Image, MapScale

JPEG_QUALITY = 85  # under 80 a compression block shows on faces and plates


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """What a snapshot is made of."""

    alert_id: str
    jpeg: bytes
    map: NDArray[np.float16] | None
    map_scale: MapScale | None


def paths_for(folder: Path, camera: str, alert_id: str) -> tuple[Path, Path]:
    """Where an alert's snapshot and clip lie."""
    own = folder / safe_name(camera)
    name = safe_name(alert_id)
    return own / f"{name}.jpg", own / f"{name}.mp4"


def keep_picture(folder: Path, camera: str, jpeg: bytes, when: datetime) -> Path:
    """A picture that a person asked for, among such pictures of all cameras.

    Raises:
        StoreError: The disk is full or may not be written.
    """
    path = folder / "pictures" / f"{safe_name(camera)}-{when:%Y%m%dT%H%M%S}.jpg"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, jpeg)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def write_snapshot(folder: Path, camera: str, exhibit: Exhibit) -> Path:
    """Both pictures, each whole or not at all.

    Raises:
        StoreError: The disk is full or may not be written.
    """
    snapshot, _ = paths_for(folder, camera, exhibit.alert_id)
    try:
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        if exhibit.map is None:
            write_atomically(snapshot, exhibit.jpeg)
        else:
            plain = snapshot.with_name(f"{snapshot.stem}-plain.jpg")
            write_atomically(plain, exhibit.jpeg)
            write_atomically(snapshot, shown(exhibit.jpeg, exhibit.map, exhibit.map_scale))
    except OSError as error:
        raise StoreError(
            f"no snapshot for alert {exhibit.alert_id}: {snapshot.parent} cannot be written"
            f" ({error.strerror or error})"
        ) from error
    return snapshot


def shown(jpeg: bytes, anomaly_map: NDArray[np.float16], scale: MapScale | None) -> bytes:
    """The picture with its map over it, as JPEG."""
    return marked_jpeg(encode(overlay(_picture(jpeg), to_heat(anomaly_map, scale))))


def encode(image: Image) -> bytes:
    """As JPEG."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _picture(jpeg: bytes) -> Image:
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None  # the scoring process encoded it
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)
