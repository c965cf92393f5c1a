"""Follows the engines of all nodes, each by its stream, and tries again where one is lost."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import aclosing

from monitor.api.client import Client, EngineGone
from monitor.api.schema import Message
from monitor.cluster.shared import NodePlace
from monitor.cluster.whereabouts import asked_url
from monitor.errors import MonitorError

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 15.0
Take = Callable[[str, Message], None]
Lose = Callable[[str, str], None]
ELSEWHERE = "its engine listens on its own machine alone: give [api] a host and tokens"

log = logging.getLogger(__name__)


class Following:
    """One task for each node; all methods are called in one event loop."""

    def __init__(
        self,
        take: Take,
        lose: Lose,
        connect: Callable[[str], Client],
    ) -> None:
        """`take` is called with every message of a node, `lose` with a line when it is lost."""
        self._take, self._lose, self._connect = take, lose, connect
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places: dict[str, NodePlace] = {}
        self._clients: dict[str, Client] = {}

    def client(self, node: str) -> Client:
        """To ask that node's engine.

        Raises:
            EngineGone: It is not known, or cannot be reached from here.
        """
        found = self._clients.get(node)
        if found is None:
            raise EngineGone(f"node {node} is not there, and has what is asked for; ask later")
        return found

    async def see(self, places: Iterable[NodePlace]) -> None:
        """The nodes that there are; one whose address changed is followed anew."""
        for place in places:
            known = self._places.get(place.node)
            if known is not None and known.url == place.url:
                continue
            self._places[place.node] = place
            await self._leave(place.node)
            if place.url:
                self._tasks[place.node] = asyncio.create_task(self._follow(place))
            else:
                self._lose(place.node, "")  # no engine runs there: it has no cameras

    async def close(self) -> None:
        """Let all go."""
        for node in list(self._tasks):
            await self._leave(node)

    async def _leave(self, node: str) -> None:
        task = self._tasks.pop(node, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _follow(self, place: NodePlace) -> None:
        url = asked_url(place.url)
        if not url:
            self._lose(place.node, ELSEWHERE)
            return
        async with self._connect(url) as client:
            self._clients[place.node] = client
            try:
                await self._keep_following(place.node, client)
            finally:
                self._clients.pop(place.node, None)

    async def _keep_following(self, node: str, client: Client) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            try:
                async with aclosing(client.stream()) as messages:
                    async for message in messages:
                        self._take(node, message)
                        wait_s = FIRST_WAIT_S
            except MonitorError as error:
                self._lose(node, str(error))
            except Exception as error:  # one node must not end the others
                log.exception("node %s", node)
                self._lose(node, f"what it says is not understood ({type(error).__name__})")
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
