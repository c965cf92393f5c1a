"""Telling by running a program: no shell, the event as JSON on its standard input."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from typing import IO

from monitor.config.settings import NoticeSettings
from monitor.errors import UsageError
from monitor.store_outbox import Waiting
from monitor.telling.notices import headline
from monitor.telling.sink import TellError, key_of

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER")  # the engine's others may be keys
LAST_BYTES = 300  # of its standard error


class Command:
    """One run per notice; `ODDWATCH_KEY` and `ODDWATCH_TEXT` are in its environment."""

    def __init__(self, settings: NoticeSettings) -> None:
        if not settings.command:
            raise UsageError("command: names no program")
        self._words = settings.command
        self._timeout_s = settings.timeout_s

    def tell(self, notice: Waiting) -> None:
        """Run it to its end.

        Raises:
            TellError: It is not there, fails, or takes too long; it and its children are killed.
        """
        own = {"ODDWATCH_KEY": key_of(notice), "ODDWATCH_TEXT": headline(notice.payload)}
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | own
        program = self._words[0]
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(  # noqa: S603 - the configuration's own
                    self._words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env=environment,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                said = getattr(error, "strerror", None) or error
                raise TellError(f"{program} cannot be run: {said}") from error
            with process:
                self._feed(process, json.dumps(notice.payload).encode() + b"\n")
            if process.returncode:
                raise TellError(f"{program} ended with {process.returncode}{_last_line(errors)}")

    def close(self) -> None:
        """Nothing to hang up."""

    def _feed(self, process: "subprocess.Popen[bytes]", body: bytes) -> None:
        try:
            process.communicate(body, timeout=self._timeout_s)
        except subprocess.TimeoutExpired as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise TellError(
                f"{self._words[0]} was not done after {self._timeout_s:g} s and was killed"
            ) from error


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - LAST_BYTES))
    lines = errors.read().decode(errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {said}" if said else ""
