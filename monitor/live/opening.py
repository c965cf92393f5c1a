"""How the engine comes by its store: what may take minutes is told to whoever asks meanwhile."""

import asyncio
import logging
from pathlib import Path
from urllib.parse import urlsplit

from monitor.api.server import excusing
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
    async with excusing(f"the engine is not ready yet: {work}", api, folder) as url:
        store = await asyncio.to_thread(Store, place)
    return store, api.model_copy(update={"port": urlsplit(url).port})
