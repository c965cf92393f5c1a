"""`oddwatch watch CONFIG`: the engine on many cameras, by itself or with a dashboard before it."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.one_camera import on_terminal
from monitor.errors import MonitorError
from monitor.missing import DASHBOARD, ENGINE, refuse_without

if TYPE_CHECKING:
    from monitor.live.clock import Clock
    from monitor.live.engine import Engine
    from monitor.live.scoring_link import RunScorer

START_S = 60.0  # importing torch on a slow disk takes half of it
ASK_EVERY_S = 0.2


def run_engine(
    config: Path,
    run_scorer: "RunScorer | None" = None,
    clock: "Clock | None" = None,
    *,
    idle: bool = False,
) -> None:
    """The engine until SIGTERM or SIGINT; SIGHUP has it read its configuration again.

    `run_scorer` and `clock` are for measurements that leave the networks out or set the time;
    `idle` takes a configuration without cameras too.

    Raises:
        MonitorError: It cannot start, in one line.
    """
    refuse_without("the engine", ENGINE)

    from monitor.config.changes import Reloader
    from monitor.config.loading import load_cameras, load_settings
    from monitor.config.redacting import Registry, guard

    registry = Registry()
    reloader = Reloader(config, registry, load=load_settings if idle else load_cameras)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    guard(handler, registry)
    level = reloader.settings.engine.log.upper()
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("httpx", "apprise", "uvicorn", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for line in reloader.warnings:
        logging.getLogger("monitor").warning("%s", line)

    from monitor.live import scoring_link
    from monitor.live.engine import Engine
    from monitor.live.live_log import LiveLog

    lines = LiveLog()
    guard(lines, registry)
    logging.getLogger().addHandler(lines)
    scoring = run_scorer or scoring_link.run_scorer
    engine = Engine(reloader.settings, scoring, reloader=reloader, lines=lines, clock=clock)
    asyncio.run(_run(engine))


async def _run(engine: "Engine") -> None:
    loop = asyncio.get_running_loop()
    stopping = 0

    def stop() -> None:
        nonlocal stopping
        stopping += 1
        if stopping > 1:
            os._exit(130)  # a second signal: at once
        engine.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, engine.reload)
    await engine.run()


def run_with_dashboard(config: Path) -> None:
    """The engine in a process of its own, the dashboard in this one.

    Leaving the dashboard asks whether the engine is to go on, if it still runs.

    Raises:
        MonitorError: It cannot start, it failed meanwhile, or what draws is not installed.
    """
    refuse_without("the dashboard (--headless goes without)", DASHBOARD)
    refuse_without("the engine", ENGINE)

    from monitor.api.client import EngineGone, find_engine
    from monitor.cli.tui import show
    from monitor.config.loading import load_cameras

    folder = load_cameras(config).engine.folder
    try:
        url = find_engine(folder).url
        show([url])
        return
    except EngineGone:
        pass
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "engine.log"
    with log.open("ab") as sink:
        engine = subprocess.Popen(  # noqa: S603  this very program
            [sys.executable, "-m", "monitor", "watch", str(config), "--headless"],
            stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True,
        )  # fmt: skip
    url = _wait_for(engine, folder, log)
    threading.Thread(target=engine.wait, daemon=True).start()  # it may end while the dashboard runs

    def ended() -> str:
        status = engine.poll()
        done = f"the engine has ended (status {status}), nothing is watched; see {log}"
        return "" if status is None else done

    stop = show([url], ended=ended)
    if how := ended():
        if engine.returncode:
            raise MonitorError(how)
        print(how)
    elif stop:
        print("stopping the engine ...", flush=True)
        engine.terminate()
        engine.wait()
    else:
        print(f"the engine goes on (process {engine.pid}); oddwatch tui {folder} shows it again")


def _wait_for(engine: "subprocess.Popen[bytes]", folder: Path, log: Path) -> str:
    from monitor.api.client import EngineGone, find_engine

    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        if engine.poll() is not None:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise MonitorError(f"the engine did not start: {lines[-1] if lines else 'no reason'}")
        try:
            found = find_engine(folder)
            if found.pid == engine.pid:
                return found.url
        except EngineGone:
            pass
        time.sleep(ASK_EVERY_S)
    engine.terminate()
    raise MonitorError(f"the engine did not answer within {START_S:.0f} s; see {log}")


def watch_config(config: Path, *, headless: bool, idle: bool = False) -> None:
    """What `oddwatch watch CONFIG` does."""
    if headless or not on_terminal():
        run_engine(config, idle=idle)
        return
    run_with_dashboard(config)
