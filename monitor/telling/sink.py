"""What every way of telling has: it takes a notice, or says why it cannot."""

from typing import Protocol

from monitor.errors import MonitorError
from monitor.store_outbox import Waiting


class TellError(MonitorError, OSError):
    """A notice was not taken. One line without secrets; final: another attempt is no use."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


class Sink(Protocol):
    """A way of telling. Called from one thread, which may wait."""

    def tell(self, notice: Waiting) -> None:
        """Deliver.

        Raises:
            TellError: It was not taken.
        """

    def close(self) -> None:
        """Hang up."""


def key_of(notice: Waiting) -> str:
    """The same for the same notice, however often it comes."""
    kind = "" if notice.kind == "alert" else f"{notice.kind}-"
    return f"{kind}{notice.event_id}-{notice.revision}"
