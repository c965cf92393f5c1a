"""Which reader a source needs: the only `if` of capture about what an address is."""

import re
from pathlib import Path

from monitor.capture.faults import CaptureError
from monitor.capture.folder_reader import FolderReader
from monitor.capture.opencv_reader import OpencvReader
from monitor.capture.pyav_reader import PyavReader
from monitor.capture.reader import Reader
from monitor.capture.records import CaptureSettings
from monitor.sources import is_device
from monitor.sources.stream import SCHEMES


def open_reader(settings: CaptureSettings) -> Reader:
    """Connect to what is analysed: the sub-stream where there is one.

    Raises:
        CaptureError: If that fails; says why, without secrets.
    """
    url = settings.analysis_url or settings.url
    scheme = re.match(r"(\w+):", url)
    if scheme and "://" in url and scheme[1].lower() not in SCHEMES | {"file"}:
        known = ", ".join(sorted(SCHEMES))
        raise CaptureError("format", f"{scheme[1]}:// is not known; known are {known}")
    if is_device(url) or settings.backend == "opencv":
        return OpencvReader(settings, url)
    if "://" in url and not url.startswith("file://"):
        return PyavReader(settings, url)
    path = Path(url.removeprefix("file://"))
    if not path.exists():
        raise CaptureError("missing", "found nothing there")
    return FolderReader(settings, path) if path.is_dir() else PyavReader(settings, str(path))
