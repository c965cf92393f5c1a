"""One alert as files that can be passed on: what is known of it, its picture, its clip."""

from pathlib import Path

from monitor.api.schema import AlertView
from monitor.errors import MonitorError
from monitor.files import write_atomically
from monitor.tui.engine import Engine

FACTS, PICTURE, CLIP = "alert.json", "snapshot.jpg", "clip.mp4"


async def copy_alert(engine: Engine, alert: AlertView, folder: Path) -> list[str]:
    """Write it into `folder`; the names of the files that are there then.

    Raises:
        MonitorError: The engine cannot be asked.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FACTS, alert.model_dump_json(indent=2) + "\n")
    written = [FACTS]
    picture = await engine.snapshot(alert.id) if alert.has_snapshot else None
    if picture is not None:
        (folder / PICTURE).write_bytes(picture)
        written.append(PICTURE)
    if alert.has_clip and await _copy_clip(engine, alert.id, folder / CLIP):
        written.append(CLIP)
    return written


async def _copy_clip(engine: Engine, alert_id: str, path: Path) -> bool:
    """Whether it is there; retention may have removed it, and a replay has none."""
    try:
        await engine.save_clip(alert_id, path)
    except MonitorError:
        path.unlink(missing_ok=True)
        return False
    return True
