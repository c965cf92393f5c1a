"""Where a node's API is, as told to other machines.

An engine that listens on loopback alone is told of as `loopback://MACHINE:PORT`, so that nobody
takes what answers on that port of their own machine for it.
"""

import socket
from urllib.parse import urlsplit

from monitor.api.auth import is_loopback

LOOPBACK = "loopback"
EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104


def reach(listens: str, address: str) -> str:
    """The machine's name in what is told, for an engine that listens there.

    Args:
        listens: `[api] host`.
        address: Of the machine, as others reach it.
    """
    if is_loopback(listens):
        return f"{LOOPBACK}://{socket.gethostname()}"
    host = address if listens in EVERYWHERE and address else listens
    return f"http://[{host}]" if ":" in host else f"http://{host}"


def told_url(reached: str, url: str) -> str:
    """What a node tells others, of an engine that answers on this machine at `url`."""
    port = urlsplit(url).port
    return f"{reached}:{port}" if url and reached and port else url


def asked_url(told: str) -> str:
    """Where to ask from here; empty: it cannot be reached from this machine."""
    if not told.startswith(f"{LOOPBACK}://"):
        return told
    parts = urlsplit(told)
    here = parts.hostname == socket.gethostname().lower()
    return f"http://127.0.0.1:{parts.port}" if here else ""
