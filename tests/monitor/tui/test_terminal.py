"""The terminal after a dashboard that was not closed by its key."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from monitor.tui.terminal import KILLED

DRAWN, LEFT, CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
SHOW = "from monitor.cli.tui import show; show(['http://127.0.0.1:9'])"
PATIENCE_S = 120.0  # on a busy machine
STUCK = """
import asyncio, os, queue, signal, threading
from monitor.tui import terminal
terminal.PATIENCE_S = 0.2
async def main():
    terminal.leave_on_signals(lambda: None)
    threading.Timer(0.5, os.kill, [os.getpid(), signal.{name}]).start()
    queue.Queue().get()  # as one that writes to nothing
asyncio.run(main())
"""


def read_until(terminal: int, mark: bytes) -> bytes:
    seen, until = b"", time.monotonic() + PATIENCE_S
    while mark not in seen and time.monotonic() < until:
        if select.select([terminal], [], [], 1.0)[0]:
            seen += os.read(terminal, 1 << 16)
    assert mark in seen
    return seen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_it_is_usable_after_a_signal(number: signal.Signals, tmp_path) -> None:
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(inner)
    words = {"TERM": "xterm-256color", "XDG_CONFIG_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW], stdin=inner, stdout=inner, stderr=inner,
        env=os.environ | words, start_new_session=True,
    )  # fmt: skip
    try:
        read_until(terminal, b"No engine answers")
        assert not termios.tcgetattr(inner)[3] & termios.ECHO
        process.send_signal(number)
        said = read_until(terminal, KILLED.encode() if number == signal.SIGKILL else CURSOR)
        assert said.rindex(LEFT) > said.find(DRAWN)
        assert CURSOR in said
        assert b"\x1b[?1000l" in said
        assert process.wait(PATIENCE_S) == (-9 if number == signal.SIGKILL else 0)
        assert termios.tcgetattr(inner)[3] & (termios.ECHO | termios.ICANON) == before[3] & (
            termios.ECHO | termios.ICANON
        )
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(inner)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_though_it_waits_for_a_terminal_that_is_gone(name: str) -> None:
    words = [sys.executable, "-c", STUCK.format(name=name)]
    done = subprocess.run(words, check=False, timeout=PATIENCE_S)
    assert done.returncode == 128 + getattr(signal, name)
