"""Follows an engine for as long as the dashboard runs, and tries again when it is lost."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

from monitor.api.client import Denied, EngineGone, NotAnEngine, OtherVersion, Refused
from monitor.errors import MonitorError
from monitor.tui.engine import Engine
from monitor.tui.state.site import LostHow, Site

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0
STUBBORN_S = 10.0  # what a person has to put right is asked after less often
BUSY = 503  # HTTP: later
AT_ONCE = 4  # histories asked for beside each other, so that pictures still come through
HISTORY = timedelta(hours=1)


class Link:
    """One engine and the site that keeps what it says."""

    def __init__(self, engine: Engine, site: Site) -> None:
        self.engine = engine
        self.site = site
        self.caught_up = False  # whether the curves of before are there

    async def follow(self) -> None:
        """Until cancelled."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                await self._once()
                wait_s = FIRST_WAIT_S
            except MonitorError as error:
                if self.site.link == "live":
                    wait_s = FIRST_WAIT_S
                stubborn = isinstance(error, OtherVersion | Denied | NotAnEngine)
                how = _how(error)
                self.site.lost(str(error), how)
                if stubborn:
                    wait_s = STUBBORN_S
                elif how == "refused":
                    wait_s = LONGEST_WAIT_S
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _once(self) -> None:
        self.site.connected()
        history: asyncio.Task[None] | None = None
        try:
            async with aclosing(self.engine.stream()) as stream:
                async for message in stream:
                    self.site.take(message)
                    if history is None:
                        history = asyncio.create_task(self._fetch_history())
        finally:
            if history is not None:
                history.cancel()

    async def _fetch_history(self) -> None:
        """The curves of before this dashboard was opened, who needs a person first."""
        gate = asyncio.Semaphore(AT_ONCE)
        order = sorted(self.site.cameras.values(), key=lambda camera: camera.look.need)
        await asyncio.gather(*(self._fetch_curve(camera.name, gate) for camera in order))
        self.caught_up = True

    async def _fetch_curve(self, camera: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                points = await self.engine.scores(camera, self.site.now - HISTORY)
            except MonitorError:  # the curve then begins now; the stream tells what is wrong
                return
            self.site.take_scores(points)
            await asyncio.sleep(0)


def _how(error: MonitorError) -> LostHow:
    if isinstance(error, EngineGone):
        return "gone"
    return "busy" if isinstance(error, Refused) and error.status == BUSY else "refused"
