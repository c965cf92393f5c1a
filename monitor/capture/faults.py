"""Why a source cannot be read, in the words of the engine. Imports PyAV alone."""

import errno
import socket
from urllib.parse import urlsplit

import av

from monitor.capture.records import Fault
from monitor.errors import SourceError

REFUSED = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN}
REFUSED |= {errno.ECONNRESET, errno.EADDRNOTAVAIL, errno.EPIPE}
MISSING = {errno.ENOENT, errno.ENODEV, errno.ENXIO}
TIMEOUT = {errno.ETIMEDOUT, errno.EAGAIN}


class CaptureError(SourceError):
    """A connection failed or ended; `text` holds no secrets."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault: Fault = fault
        self.text = text


def fault_of(error: Exception, url: str, *, opening: bool) -> CaptureError:
    """What an error of FFmpeg or the system means for the source at `url`."""
    fault, reason = _named(error)
    if fault == "broken" and opening and _is_unknown_host(error, url):
        fault, reason = "refused", "there is no host of that name"
    return CaptureError(fault, reason)


def _named(error: Exception) -> tuple[Fault, str]:
    named: list[tuple[type[Exception], Fault, str]] = [
        (av.error.HTTPUnauthorizedError, "login", "user or password refused (401)"),
        (av.error.HTTPForbiddenError, "login", "access refused (403)"),
        (av.error.HTTPNotFoundError, "missing", "nothing at that path (404)"),
        (av.error.ExitError, "timeout", "no answer in time"),
        (av.error.EOFError, "ended", "the other side ended it"),
        (av.error.ProtocolNotFoundError, "format", "FFmpeg knows no such protocol"),
        (av.error.InvalidDataError, "format", "expected video, got something else"),
    ]
    for kind, fault, text in named:
        if isinstance(error, kind):
            return fault, text
    number = getattr(error, "errno", None)
    reason = str(getattr(error, "strerror", None) or type(error).__name__)
    for numbers, fault in _BY_NUMBER:
        if number in numbers:
            return fault, reason
    return "broken", reason


_BY_NUMBER: tuple[tuple[set[int], Fault], ...] = (
    (REFUSED, "refused"),
    (MISSING, "missing"),
    (TIMEOUT, "timeout"),
)


def _is_unknown_host(error: Exception, url: str) -> bool:
    """FFmpeg reports a name that does not resolve as an input/output error."""
    if getattr(error, "errno", None) != errno.EIO:
        return False
    try:
        host = urlsplit(url).hostname
        if host:
            socket.getaddrinfo(host, None)
    except (OSError, ValueError):
        return True
    return False
