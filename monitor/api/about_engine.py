"""Routes about the engine as a whole: status, health, log, and the stream of all that happens."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Collection
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field
from starlette.responses import StreamingResponse
from starlette.types import Message as Sent
from starlette.types import Receive, Scope, Send

from monitor.api.gate import Once, View
from monitor.api.hub import CutOffError
from monitor.api.narrowing import narrowed
from monitor.api.schema import Asked, EngineStatus, HealthView, LogLine, Message
from monitor.api.view import EngineView

HEARTBEAT_S = 5.0
STUCK_S = 30.0  # a reader that takes nothing for so long is gone, or may as well be

routes = APIRouter(dependencies=[Depends(Once("tag"))])


class Which(Asked):
    """Which health events, and how many."""

    open: bool = False  # only what goes on
    limit: int = Field(default=100, ge=1, le=500)


class Newest(Asked):
    """How many lines."""

    limit: int = Field(default=200, ge=1, le=2000)


class Part(Asked):
    """Of which cameras."""

    tag: tuple[str, ...] = Field(default=(), description="Only of cameras with all these tags.")


ALL, NEWEST, WHOLE = Which(), Newest(), Part()


class StreamResponse(StreamingResponse):
    """Server-sent events to a reader that may stop reading at any time."""

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ends by itself where nobody takes what is sent."""

        async def send_or_give_up(sent: Sent) -> None:
            async with asyncio.timeout(STUCK_S):
                await send(sent)

        with contextlib.suppress(TimeoutError):
            await super().__call__(scope, receive, send_or_give_up)


@routes.get("/status")
async def status(view: View) -> EngineStatus:
    """The engine and its machine."""
    return view.status()


@routes.get("/health-events")
async def health(
    view: View,
    only: Annotated[Which, Query()] = ALL,
) -> list[HealthView]:
    """What a person should know about cameras, the machine and the engine, newest first."""
    return list(view.health(open_only=only.open, limit=only.limit))


@routes.get("/log")
async def log(view: View, newest: Annotated[Newest, Query()] = NEWEST) -> list[LogLine]:
    """The newest lines of the engine's log, oldest first."""
    return list(view.log_lines(newest.limit))


@routes.get(
    "/stream",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Messages."}},
)
async def stream(view: View, request: Request, part: Annotated[Part, Query()] = WHOLE) -> Response:
    """Server-sent events: all that happens, as `Message`; the first is the whole state.

    `event` is the kind of what is in it (`engine`, `cameras`, `removed`, `scores`, `alerts`,
    `health` or `log`, or `state` where it is several). A comment every 5 s shows that the engine
    lives. A reader that is slow loses the oldest scores, never an alert; one that is too slow is
    sent `event: end` with the reason and may connect again.
    """
    return StreamResponse(_events(view, request.app.state.closing, part.tag))


async def _events(
    view: EngineView, closing: asyncio.Event, tags: Collection[str] = ()
) -> AsyncIterator[str]:
    ending = asyncio.create_task(closing.wait())
    try:
        async with view.subscribe() as messages:
            async for text in _beating(narrowed(messages, tags) if tags else messages, ending):
                yield text
        yield _end("the engine stops")
    except CutOffError as error:
        yield _end(str(error))
    finally:
        ending.cancel()


async def _beating(
    messages: AsyncIterator[Message], ending: "asyncio.Task[bool]"
) -> AsyncIterator[str]:
    """Messages until `ending` is done, with heartbeats where nothing happens."""
    coming: asyncio.Future[Message] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(messages))
            either: set[asyncio.Future[Any]] = {coming, ending}
            done, _ = await asyncio.wait(
                either, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
            )
            if coming in done:
                message, coming = coming.result(), None
                yield f"event: {kind_of(message)}\ndata: {message.model_dump_json()}\n\n"
            elif ending in done:
                return
            else:
                yield ": alive\n\n"
    finally:
        if coming is not None:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, CutOffError, StopAsyncIteration):
                await coming


def kind_of(message: Message) -> str:
    """The field that is filled, or `state` where several are."""
    filled = [name for name in Message.model_fields if getattr(message, name)]
    return filled[0] if len(filled) == 1 else "state"


def _end(reason: str) -> str:
    return f"event: end\ndata: {json.dumps({'error': reason})}\n\n"
