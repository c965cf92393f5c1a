"""The coordinator's view of the fleet, told in the shared database for whoever has no Ray.

Nothing depends on it: where the database is away, it is told later.
"""

import json
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from monitor.cluster.reports import FleetStatus, NodeStatus
from monitor.cluster.shared import SharedStore
from monitor.config.redacting import Registry
from monitor.config.secrets import Resolver
from monitor.errors import StoreError

KIND = "status"
TELL_S = 5.0
SILENT_S = 30.0  # six of them missed: the coordinator is gone

log = logging.getLogger(__name__)


class Telling:
    """A thread's work, until `ending` is set."""

    def __init__(
        self, reference: str, status: Callable[[], FleetStatus], ending: threading.Event
    ) -> None:
        self._reference, self._status, self._ending = reference, status, ending
        self._shared: SharedStore | None = None

    def work(self) -> None:
        """Tell every five seconds."""
        while not self._ending.wait(TELL_S):
            try:
                self.once()
            except StoreError as error:
                log.debug("%s", error)
                self._close()
            except Exception:  # the coordinator goes on
                log.exception("the fleet's status is not told")
        self._close()

    def once(self) -> None:
        """Tell it now.

        Raises:
            StoreError: It cannot be told.
        """
        url = Resolver(Registry(), os.environ).value(self._reference, "store")
        if not url:
            return  # the reference leads nowhere on this machine
        self._shared = self._shared or SharedStore(url)
        status = self._status()
        self._shared.tell(KIND, status.generation, to_text(status))

    def _close(self) -> None:
        if self._shared is not None:
            self._shared.close()
        self._shared = None


def to_text(status: FleetStatus) -> str:
    """Without where each camera is: the nodes themselves tell."""
    return json.dumps(asdict(replace(status, where={})))


def from_text(text: str) -> FleetStatus:
    """What `to_text` gave, also of a version that told more.

    Raises:
        ValueError: It is nothing of the kind.
    """
    try:
        told = json.loads(text)
        nodes = tuple(NodeStatus(**_known(NodeStatus, node)) for node in told["nodes"])
        return FleetStatus(**_known(FleetStatus, told) | {"nodes": nodes})
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"this is no status of a fleet: {error}") from error


def _known(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in kind.__dataclass_fields__ if name in values}
