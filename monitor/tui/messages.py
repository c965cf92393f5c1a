"""What widgets tell their screens."""

from dataclasses import dataclass

from textual.message import Message

from monitor.tui.state.fleet import Seen
from monitor.tui.state.site import Camera


@dataclass
class CameraChosen(Message):
    """A person wants to see this camera."""

    camera: Camera


@dataclass
class AlertChosen(Message):
    """A person wants to see this alert."""

    seen: Seen
