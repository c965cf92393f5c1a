"""What a live configuration will need of its machine: estimates, each with its arithmetic."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.capture.records import CaptureSettings
from monitor.config.settings import CameraSettings, Settings
from monitor.names import counted

STREAM_BYTES_PER_S = 500_000  # 4 Mbit/s: 1080p at 15 frames per second in H.264 has 3 to 4
CAPTURE_BYTES = 80_000_000  # the budget of a capture process, private
SCORING_BYTES = 850_000_000  # torch and a lite detector in one process: measured 834 MB
SNAPSHOT_BYTES = 400_000  # with the heat map and plain, 1080p, JPEG quality 85
ALERT_S = 10.0  # that a typical alert lasts
ALERTS_PER_DAY = 1.0  # where nothing is said: what `train` promises by default
RING = CaptureSettings(name="", url="")  # for its defaults
SHM = Path("/dev/shm")  # noqa: S108  where shared memory is on Linux, not a temporary file


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that is needed, and what there is of it."""

    what: str
    amount: float  # bytes, or readings per second
    text: str  # the arithmetic
    there: float | None = None  # None: nobody can know

    @property
    def enough(self) -> bool:
        """Whether there is as much as is needed, as far as is known."""
        return self.there is None or self.there >= self.amount


def needs_of(settings: Settings, sizes: Mapping[str, tuple[int, int]]) -> list[Need]:
    """Of all enabled cameras together.

    Args:
        settings: The configuration.
        sizes: Height and width of the cameras that were probed; others are taken for 4:3.
    """
    cameras = [camera for camera in settings.camera if camera.enabled]
    return [
        _rings(settings, cameras, sizes),
        _memory(settings, cameras),
        _disk(settings, cameras),
        _rate(cameras),
    ]


def analysed(camera: CameraSettings, size: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of the analysed picture: `width` at most, never larger than the source."""
    height, width = size or (3, 4)
    wide = min(camera.width, width) if size else camera.width
    return round(wide * height / width), wide


def say_bytes(amount: float) -> str:
    """850 kB, 12.5 MB, 3.2 GB."""
    for limit, size, unit in ((1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if amount < limit:
            return f"{amount / size:.3g} {unit}"
    return f"{amount / 1e9:.3g} GB"


def _rings(
    settings: Settings, cameras: Sequence[CameraSettings], sizes: Mapping[str, tuple[int, int]]
) -> Need:
    slots = RING.slots
    pixels = sum(
        height * width
        for camera in cameras
        for height, width in [analysed(camera, sizes.get(camera.name))]
    )
    whose = counted(len(cameras), "camera")
    text = f"frames: {slots} slots x 3 bytes x {pixels:,} pixels of {whose}"
    if settings.engine.capture == "thread":
        return Need("memory for rings", slots * 3 * pixels, text)
    return Need(str(SHM), slots * 3 * pixels, text, _free(SHM))


def _memory(settings: Settings, cameras: Sequence[CameraSettings]) -> Need:
    seconds, most = RING.ring_s, RING.ring_bytes
    ring = min(most, seconds * STREAM_BYTES_PER_S)
    workers = len(cameras) if settings.engine.capture == "process" else 0
    models = {camera.model for camera in cameras if camera.model}
    weights = sum(_size(Path(model)) for model in models)
    amount = SCORING_BYTES + weights + workers * CAPTURE_BYTES + len(cameras) * ring
    readers = f"{counted(workers, 'reader')} x {say_bytes(CAPTURE_BYTES)}"
    each = f"{say_bytes(ring)} ({seconds:g} s at 4 Mbit/s, at most {say_bytes(most)} each)"
    text = (
        f"{say_bytes(SCORING_BYTES)} scoring + {say_bytes(weights)} of "
        f"{counted(len(models), 'model')} + {readers} + "
        f"{counted(len(cameras), 'packet ring')} x {each}"
    )
    return Need("memory", amount, text, _free_memory())


def _disk(settings: Settings, cameras: Sequence[CameraSettings]) -> Need:
    per_day = sum(_evidence_per_day(camera) for camera in cameras)
    keep = settings.retention
    amount = per_day * keep.days if keep.days else float(keep.most_bytes)
    capped = min(amount, keep.most_bytes) if keep.most_bytes else amount
    alerts = sum(camera.false_alarms_per_day or ALERTS_PER_DAY for camera in cameras)
    text = (
        f"{say_bytes(per_day)} a day ({alerts:g} alerts x (clip of pre + {ALERT_S:g} s + post at "
        f"4 Mbit/s + {say_bytes(SNAPSHOT_BYTES)} of pictures)) x {keep.days:g} days, at most "
        f"{say_bytes(keep.most_bytes) if keep.most_bytes else 'all there is'}, and "
        f"{say_bytes(keep.least_free_bytes)} stay free"
    )
    return Need("disk", capped + keep.least_free_bytes, text, _free(settings.engine.folder))


def _evidence_per_day(camera: CameraSettings) -> float:
    seconds = min(camera.pre_s + ALERT_S + camera.post_s, camera.longest_clip_s)
    alerts = camera.false_alarms_per_day or ALERTS_PER_DAY
    return alerts * (seconds * STREAM_BYTES_PER_S + SNAPSHOT_BYTES)


def _rate(cameras: Sequence[CameraSettings]) -> Need:
    most = sum(camera.score_fps for camera in cameras)
    still = sum(
        min(1 / camera.floor_s, camera.score_fps) if camera.gate else camera.score_fps
        for camera in cameras
    )
    text = f"readings while all of {len(cameras)} cameras see motion, {still:g} while none does"
    if len(cameras) == 1:
        text = f"readings while the camera sees motion, {still:g} while it does not"
    return Need("rate", most, text)


def _free(folder: Path) -> float | None:
    """Of the disk that a folder is or will be on."""
    place = next((part for part in (folder, *folder.absolute().parents) if part.exists()), None)
    try:
        return None if place is None else float(shutil.disk_usage(place).free)
    except OSError:
        return None


def _free_memory() -> float | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    line = next((line for line in text.splitlines() if line.startswith("MemAvailable:")), "")
    return float(line.split()[1]) * 1024 if line else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
