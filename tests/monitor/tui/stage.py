"""A dashboard on a stage: frozen clocks, and waiting for what is asked for, not for time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from monitor.tui.app import Dashboard
from monitor.tui.screens.page import Page
from tests.monitor.tui.scripted import NOW, Scripted

Body = Callable[[Dashboard, Pilot[str]], Awaitable[None]]


def dashboard(*engines: Scripted, **options: Any) -> Dashboard:
    return Dashboard(engines, wall=lambda: NOW, mono=lambda: 0.0, **options)


async def until(pilot: Pilot[Any], condition: Callable[[], object], *, tries: int = 1500) -> None:
    for _ in range(tries):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("what was waited for did not come")


async def settle(app: Dashboard, pilot: Pilot[Any]) -> None:
    """All engines heard, or lost; the screen painted."""
    await until(pilot, lambda: isinstance(app.screen, Page) and app.screen.ready)
    await until(pilot, lambda: all(s.link != "connecting" for s in app.fleet.sites))
    await until(pilot, lambda: all(k.caught_up or k.site.link != "live" for k in app.links))
    await asyncio.sleep(0.05)
    if isinstance(app.screen, Page):
        app.screen.repaint()
    await pilot.pause()


def play(app: Dashboard, body: Body, size: tuple[int, int] = (100, 30)) -> None:
    """Run a dashboard, settled, and do something with it."""

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await settle(app, pilot)
            await body(app, pilot)

    asyncio.run(run())


def text_of(app: Dashboard) -> str:
    """What stands on the screen, line by line."""
    strips = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def toasts(app):
    """What is told at the edge of the screen."""
    return [one.message for one in app._notifications]
