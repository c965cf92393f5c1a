"""Which packets belong to which clip: clips are begun, fed and ended as the engine says.

Knows nothing of connections; `packets` holds what came before, `remux` writes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
from av.video.stream import VideoStream

from monitor.capture.packets import Kept, PacketRing
from monitor.capture.records import ClipFailed, ClipWritten, EndClip, StartClip
from monitor.capture.remux import Remux

Tell = Callable[[ClipWritten | ClipFailed], None]


@dataclass(slots=True)
class _Clip:
    alert_id: str
    remux: Remux
    until_s: float


class Cutter:
    """The clips of one connection in the making; each is told of once, written or failed."""

    def __init__(
        self, template: Callable[[], VideoStream | None], ring: PacketRing, tell: Tell
    ) -> None:
        self._template = template  # asked for anew: a looped file is opened again
        self._ring = ring
        self._tell = tell
        self._clips: dict[str, _Clip] = {}

    def start(self, command: StartClip) -> None:
        """Begin a clip with what the ring still has of it."""
        if command.alert_id in self._clips:
            return
        template = self._template()
        if template is None:
            self._tell(ClipFailed(command.alert_id, "nothing has come yet to cut a clip from"))
            return
        try:
            command.path.parent.mkdir(parents=True, exist_ok=True)
            remux = Remux(command.path, template)
        except (OSError, ValueError) as error:
            self._tell(ClipFailed(command.alert_id, _said(error, command.path)))
            return
        clip = _Clip(command.alert_id, remux, command.from_s + command.longest_s)
        self._clips[command.alert_id] = clip
        for kept in self._ring.since(command.from_s):
            self._write(clip, kept)

    def end(self, command: EndClip) -> None:
        """Set when a clip ends; it ends then at the latest."""
        clip = self._clips.get(command.alert_id)
        if clip:
            clip.until_s = min(clip.until_s, command.until_s)

    def add(self, kept: Kept) -> None:
        """A packet that just came, for all clips that want it."""
        for clip in list(self._clips.values()):
            self._write(clip, kept)

    def tick(self, now_s: float) -> None:
        """Finish what is over; call it now and then, whether packets come or not."""
        for clip in list(self._clips.values()):
            if now_s > clip.until_s:
                self._finish(clip)

    def finish(self) -> None:
        """The connection is over, and so are its clips."""
        for clip in list(self._clips.values()):
            self._finish(clip)

    def _write(self, clip: _Clip, kept: Kept) -> None:
        if kept.received_s > clip.until_s or clip.alert_id not in self._clips:
            return
        try:
            clip.remux.write(kept)
        except (OSError, ValueError) as error:
            self._fail(clip, _said(error, clip.remux.path))

    def _finish(self, clip: _Clip) -> None:
        if clip.remux.empty:
            self._fail(clip, f"{clip.remux.path}: no keyframe came while it lasted")
            return
        try:
            path = clip.remux.finish()
        except (OSError, ValueError) as error:
            self._fail(clip, _said(error, clip.remux.path))
            return
        del self._clips[clip.alert_id]
        self._tell(ClipWritten(clip.alert_id, path, clip.remux.seconds))

    def _fail(self, clip: _Clip, text: str) -> None:
        clip.remux.discard()
        self._clips.pop(clip.alert_id, None)
        self._tell(ClipFailed(clip.alert_id, text))


def _said(error: OSError | ValueError, path: Path) -> str:
    reason = error.strerror if isinstance(error, OSError | av.FFmpegError) else None
    return f"{path}: the clip cannot be written: {reason or error}"
