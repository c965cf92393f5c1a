"""The fleet's API in a process of its own: needs the shared database, and no Ray."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from monitor.api.auth import Tokens, check_bind
from monitor.api.server import serving
from monitor.cluster.board import Board
from monitor.cluster.fleet_view import FleetView
from monitor.cluster.settings import load_fleet
from monitor.cluster.shared import SharedStore
from monitor.config.problems import ConfigError
from monitor.config.redacting import Registry
from monitor.config.secrets import Resolver
from monitor.config.settings import ApiSettings
from monitor.errors import MonitorError, UsageError

log = logging.getLogger(__name__)


def serve_fleet(
    config: Path,
    folder: Path,
    *,
    host: str = "",
    port: int | None = None,
    told: Callable[[str], None] = print,
) -> None:
    """Until SIGTERM or Ctrl-C; SIGHUP reads the configuration again.

    Args:
        config: Of the fleet.
        folder: Gets `api.json`.
        host: Instead of the configuration's.
        port: Instead of the configuration's.
        told: Is given the URL.

    Raises:
        MonitorError: It cannot start, in one line.
    """
    cluster, settings = load_fleet(config)
    if not cluster.store:
        raise UsageError(f"{config}: a fleet's API needs the shared database: give `store`")
    resolver = Resolver(Registry(), os.environ)
    url = resolver.value(cluster.store, "store")
    api = settings.api
    roles = {
        role: [resolver.value(token, f"[api]: {role}") for token in getattr(api, role)]
        for role in ("viewers", "operators", "admins")
    }
    if resolver.lines:
        raise ConfigError(resolver.lines)
    found = api.model_copy(
        update={"host": host or api.host, "port": api.port if port is None else port}
    )
    tokens = Tokens(**roles)
    check_bind(found, tokens)
    highest = next(iter([*roles["admins"], *roles["operators"], *roles["viewers"]]), "")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror or error}; give another --folder") from error
    with SharedStore(url) as shared, contextlib.suppress(KeyboardInterrupt):
        board = Board(settings.camera, datetime.now(UTC))
        view = FleetView(shared, board, highest)
        asyncio.run(_serve(view, found, tokens, (config, folder), told))


async def _serve(
    view: FleetView,
    settings: ApiSettings,
    tokens: Tokens,
    places: tuple[Path, Path],
    told: Callable[[str], None],
) -> None:
    config, folder = places
    loop, ending = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    loop.add_signal_handler(signal.SIGHUP, reload, view, config)
    async with serving(view, settings, tokens, folder, view.evidence) as url:
        work = asyncio.create_task(view.work())
        told(url)
        await ending.wait()
        view.hub.close("the fleet's API stops")
        work.cancel()
        await asyncio.wait({work})


def reload(view: FleetView, config: Path) -> None:
    """Read the cameras again; where that fails, those that are known stay."""
    try:
        _, settings = load_fleet(config)
    except MonitorError as error:
        log.error("%s; the last good cameras go on", error)
        return
    view.hub.publish(view.board.change(settings.camera, datetime.now(UTC)))
