"""What systemd is told of a service of Type=notify: ready, alive, stopping. Nothing elsewhere."""

import os
import socket


def tell_systemd(state: str) -> None:
    """Send one state, such as READY=1, WATCHDOG=1 or STOPPING=1 (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    place = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plug:
        try:
            plug.sendto(state.encode(), place)
        except OSError:
            return
