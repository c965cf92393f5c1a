"""How the engine comes by its store and its API: what takes its time holds up nothing else."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from monitor.api.auth import Tokens, check_bind
from monitor.api.listening import listen
from monitor.api.view import EngineView
from monitor.config.settings import ApiSettings
from monitor.live.systemd import tell_systemd
from monitor.store import Store
from monitor.store_schema import chores

log = logging.getLogger(__name__)

LONGEST_S = 3600  # that a service manager shall wait: tens of gigabytes on a slow disk


async def open_store(place: str, api: ApiSettings, folder: Path) -> tuple[Store, ApiSettings]:
    """The store, and where the API is to listen: where its excuse was heard, if there was one.

    Raises:
        StoreError: It cannot be opened.
        ServerError: The API could not listen.
    """
    work = await asyncio.to_thread(chores, place)
    if work:
        log.warning("%s", work)
        tell_systemd(f"EXTEND_TIMEOUT_USEC={LONGEST_S * 1_000_000}")
    if not work or not api.enabled:
        return await asyncio.to_thread(Store, place), api
    from monitor.api.server import excusing

    async with excusing(f"the engine is not ready yet: {work}", api, folder) as url:
        store = await asyncio.to_thread(Store, place)
    return store, api.model_copy(update={"port": urlsplit(url).port})


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

    def serving(self, view: EngineView) -> AbstractAsyncContextManager[str]:
        """The API while the body runs; its imports take half a second, in which cameras connect."""
        from monitor.api.server import serving

        return serving(view, self._api, self._tokens, self._folder, listener=self._listener)
