"""The terminal given back whatever ends the dashboard: a signal, or kill -9."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# as in xterm: mouse, focus, pasting, Kitty's keys, cursor, colours, other screen
RESTORE = "".join(
    f"\x1b[{sequence}"
    for sequence in (
        *("?1000l", "?1002l", "?1003l", "?1015l", "?1006l", "?1004l", "?2004l"),
        *("<u", "?25h", "0m", "?1049l"),
    )
)
# a line says that all is well; the end of the pipe without one, that the dashboard was killed
GUARD = 'read -r well && exit 0; stty sane <&1 2>/dev/null; printf "%s" "$0"; echo "$1"'
PATIENCE_S = 15.0  # of a signal with a dashboard that cannot end
KILLED = "the dashboard was killed; the engine goes on"


@contextmanager
def kept_usable() -> Iterator[None]:
    """While a dashboard draws, a shell waits for its end, and cleans up after a violent one."""
    if not sys.stderr.isatty():
        yield
        return
    guard = subprocess.Popen(  # noqa: S603  a constant
        ["/bin/sh", "-c", GUARD, RESTORE, KILLED],
        stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        with suppress(OSError):  # somebody has killed it
            guard.communicate(b"well\n")


def leave_on_signals(leave: Callable[[], None]) -> None:
    """SIGTERM and SIGHUP end a dashboard as its key does; for the loop that runs.

    Where that does not end it the process is ended: Textual waits for ever to write to a terminal
    whose window was closed. So the handlers are not asyncio's, which would wait with it.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()

    def heard(number: int, _frame: object) -> None:
        last = threading.Timer(PATIENCE_S, os._exit, [128 + number])
        last.daemon = True
        last.start()
        loop.call_soon_threadsafe(leave)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, heard)
