"""The newest lines of the engine's log, for clients. Lines come redacted."""

import logging
from collections import deque
from datetime import UTC, datetime
from typing import Literal

from monitor.api.schema import LogLine

KEPT = 500


class LiveLog(logging.Handler):
    """Keeps what is logged by the monitor; other libraries' lines from warnings on."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: deque[LogLine] = deque(maxlen=KEPT)
        self._new: deque[LogLine] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if record.levelno < logging.WARNING and not record.name.startswith("monitor"):
            return
        text = record.getMessage().partition("\n")[0]
        at = datetime.fromtimestamp(record.created, UTC)
        line = LogLine(at=at, level=_level(record.levelno), text=text)
        self.lines.append(line)
        self._new.append(line)

    def since_last(self) -> list[LogLine]:
        """What came since the last call."""
        lines = []
        while self._new:
            lines.append(self._new.popleft())
        return lines


def _level(number: int) -> Literal["debug", "info", "warning", "error"]:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
