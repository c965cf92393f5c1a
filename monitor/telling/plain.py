"""Telling by the log, and by whatever Apprise reaches: mail, Slack, Telegram and a hundred more."""

import logging
from pathlib import Path
from typing import Any

from monitor.config.settings import NoticeSettings
from monitor.errors import UsageError
from monitor.store_outbox import Waiting
from monitor.telling.notices import headline
from monitor.telling.sink import TellError

logger = logging.getLogger("monitor.telling")
KINDS = {"error": "failure", "warning": "warning", "info": "info"}


class Log:
    """A warning per notice."""

    def tell(self, notice: Waiting) -> None:
        """Write the line."""
        logger.warning("%s [%s]", headline(notice.payload), notice.event_id)

    def close(self) -> None:
        """Nothing to hang up."""


class ByApprise:
    """One Apprise address; its library is imported when the first notice goes out."""

    def __init__(self, settings: NoticeSettings) -> None:
        if "://" not in settings.url:
            raise UsageError("apprise: url is none; see github.com/caronc/apprise for the forms")
        self._url = settings.url
        self._service: Any = None

    def tell(self, notice: Waiting) -> None:
        """Send title, text and, where there is one, the snapshot.

        Raises:
            TellError: The service did not take it; final where Apprise does not know the address.
        """
        if self._service is None:
            self._service = self._open()
        payload = notice.payload
        snapshot = payload.get("snapshot") or ""
        attach = snapshot if snapshot and Path(snapshot).is_file() else None
        sent = self._service.notify(
            body=body_of(payload),
            title=headline(payload),
            notify_type=KINDS.get(payload.get("severity", "warning"), "warning"),
            attach=attach,
        )
        if not sent:
            raise TellError(f"{self._scheme} did not take it")

    def close(self) -> None:
        """Nothing to hang up."""

    @property
    def _scheme(self) -> str:
        return self._url.partition("://")[0]

    def _open(self) -> Any:
        import apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines may hold addresses
        service = apprise.Apprise()
        if not service.add(self._url):
            raise TellError(f"Apprise knows no such address of {self._scheme}://", final=True)
        return service


def body_of(payload: dict[str, Any]) -> str:
    """A few lines for people."""
    names = ("started_at", "ended_at", "text", "reason", "ended_by", "id", "clip")
    lines = [f"{name.removesuffix('_at')}: {payload[name]}" for name in names if payload.get(name)]
    return "\n".join([*lines, *(f"alert: {one}" for one in payload.get("alerts", []))])
