"""Where frames come from. Knows nothing of clips, detectors or labels."""

import re
from pathlib import Path

from monitor.errors import SourceError, SourceNotFoundError
from monitor.files import no_file
from monitor.sources.device import Device
from monitor.sources.listing import PICTURES
from monitor.sources.pictures import FOLDER_RATE_HZ, Pictures, open_folder
from monitor.sources.resample import resample
from monitor.sources.source import Source
from monitor.sources.stream import OPEN_TIMEOUT_S, SCHEMES, Stream
from monitor.sources.video import VideoFile

__all__ = ["FOLDER_RATE_HZ", "Source", "open_source", "resample"]


def open_source(
    uri: str | Path,
    *,
    strict: bool = False,
    folder_rate_hz: float | None = None,
    patience_s: float = OPEN_TIMEOUT_S,
) -> Source:
    """Open whatever `uri` names: file, folder of frames, camera number, /dev/video path, address.

    Args:
        uri: What to open.
        strict: Raise at the first frame that cannot be read, instead of leaving it out.
        folder_rate_hz: Frames per second that a folder was taken at; None: not known, some are
            assumed.
        patience_s: How long a stream may take to open, or between two frames.

    Raises:
        SourceNotFoundError: If there is nothing.
        SourceError: If what is there cannot be read.
    """
    text = str(uri)
    scheme = re.match(r"(\w+)://", text)
    if scheme and scheme[1].lower() != "file":
        if scheme[1].lower() not in SCHEMES:
            raise SourceError(
                f"{scheme[1]}:// is not known; known are {', '.join(sorted(SCHEMES))}"
            )
        patience = {"open_timeout_s": patience_s, "read_timeout_s": patience_s}
        return Stream(text, strict=strict, **patience)
    if is_device(text):
        return Device(text, strict=strict)
    path = Path(text.removeprefix("file://"))
    if not path.exists():
        raise SourceNotFoundError(f"{path}: expected a video file or a folder, found nothing there")
    if found := no_file(path):
        raise SourceError(f"{path}: expected a video file or a folder, found {found}")
    if path.is_dir():
        return open_folder(path, strict=strict, folder_rate_hz=folder_rate_hz)
    if path.suffix.casefold() in PICTURES:
        return Pictures([path], name=path.name, strict=strict, folder_rate_hz=folder_rate_hz)
    return VideoFile(path, strict=strict)


def is_device(uri: str) -> bool:
    """Whether `uri` is a camera number or a /dev/video path."""
    return bool(re.fullmatch(r"\d+|/dev/video\d+", uri)) and not Path(uri).is_dir()
