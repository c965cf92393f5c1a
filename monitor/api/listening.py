"""A socket where the API will answer, or one line on why not. Light: imports no web framework."""

import errno
import socket

from monitor.errors import MonitorError


class ServerError(MonitorError, OSError):
    """The API cannot listen where it should."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0: any that is free.

    Raises:
        ServerError: The port is taken, forbidden, or the address is not of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise ServerError(_why(host, port, error)) from error


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use: another engine runs, or give [api] another port "
            "(0: any that is free)"
        )
    if error.errno == errno.EACCES:
        return f"port {port} is reserved for the system: give [api] one of 1024 or higher"
    return f"the API cannot listen on {host}, port {port}: {error.strerror or error}"
