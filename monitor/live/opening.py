"""How the engine comes by its store and its API: what takes its time holds up nothing else."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from monitor.api.auth import Tokens, check_bind
from monitor.api.listening import listen
from monitor.api.view import EngineView
from monitor.config.settings import ApiSettings
from monitor.live.systemd import tell_systemd
from monitor.store import Store
from monitor.store_schema import chores

log = logging.getLogger(__name__)

LONGEST_S = 3600  # that a service manager shall wait: tens of gigabytes on a slow disk


class Door:
    """Where the API will answer: taken at once, so that nothing begins where it cannot be."""

    def __init__(self, api: ApiSettings, folder: Path) -> None:
        """Listen there.

        Raises:
            UsageError: It would be beyond loopback without tokens.
            ServerError: It cannot be.
        """
        self._api, self._folder = api, folder
        self._tokens = Tokens(api.viewers, api.operators, api.admins)
        check_bind(api, self._tokens)
        self._listener = listen(api.host, api.port)
        self.port = int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Nobody waits at it any more."""
        self._listener.close()

    def excusing(self, why: str) -> AbstractAsyncContextManager[str]:
        """In the API's place while the body runs: the reason why it cannot answer."""
        from monitor.api.server import excusing

        return excusing(why, self._api, self._folder, self._listener.dup())

    def serving(self, view: EngineView) -> AbstractAsyncContextManager[str]:
        """The API while the body runs; its imports take half a second, in which cameras connect."""
        from monitor.api.server import serving

        return serving(view, self._api, self._tokens, self._folder, listener=self._listener)


async def open_store(place: str, door: Door | None) -> Store:
    """The store; who asks at the door meanwhile hears what it takes its time for.

    Raises:
        StoreError: It cannot be opened.
    """
    work = await asyncio.to_thread(chores, place)
    if work:
        log.warning("%s", work)
        tell_systemd(f"EXTEND_TIMEOUT_USEC={LONGEST_S * 1_000_000}")
    if not work or door is None:
        return await asyncio.to_thread(Store, place)
    async with door.excusing(f"the engine is not ready yet: {work}"):
        return await asyncio.to_thread(Store, place)
