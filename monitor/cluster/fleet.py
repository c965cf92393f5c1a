"""Bringing a fleet up, asking how it is, and taking it down; from any machine that reaches Ray."""

import os
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from monitor.cluster.actors import AGENT, COORDINATOR, CoordinatorActor
from monitor.cluster.bookshelf import put_book
from monitor.cluster.ray_link import NAMESPACE
from monitor.cluster.reports import FleetStatus
from monitor.cluster.settings import Book
from monitor.cluster.shared import SharedStore
from monitor.config.redacting import Registry
from monitor.config.secrets import Resolver
from monitor.errors import ClusterError, MonitorError, UsageError

ANSWER_S = 20.0
STOP_S = 90.0


class Fleet:
    """What runs on a connected Ray.

    Raises:
        ClusterError: From every method: nothing runs there, or it does not answer.
    """

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray

    def up(self, book: Book) -> int:
        """Start a coordinator, in place of one that runs; its generation. Nodes go on meanwhile."""
        generation = 1
        old = self._find()
        if old is not None:
            with suppress(ClusterError):  # one that hangs is replaced too
                generation = 1 + int(self._ask(old.generation.remote()))
            self._ray.kill(old)
            self._wait_gone()
        generation = max(generation, int(time.time()))  # above any that nodes remember
        kind = self._ray.remote(CoordinatorActor).options(
            name=COORDINATOR,
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=0,
            max_restarts=-1,
            max_concurrency=64,
        )
        try:
            put_book(book, generation)
            begun = kind.remote(generation)
        except ValueError as error:  # Ray has one actor of a name
            raise ClusterError(
                "somebody else starts a coordinator at this moment; see: oddwatch cluster status"
            ) from error
        self._ask(begun.generation.remote(), 3 * ANSWER_S)
        return generation

    def status(self) -> FleetStatus:
        """How all of it is."""
        found: FleetStatus = self._ask(self._coordinator().status.remote())
        return found

    def drain(self, node: str, *, on: bool = True) -> None:
        """Take a node's cameras elsewhere.

        Raises:
            UsageError: There is no such node.
        """
        refused = self._ask(self._coordinator().drain.remote(node, on))
        if refused:
            raise UsageError(refused)

    def down(self) -> int:
        """End all engines and actors; how many nodes there were.

        Raises:
            ClusterError: Nothing runs there, or a node does not say that its engine has ended.
        """
        coordinator = self._find() if self._agents() else self._coordinator()
        if coordinator is not None:
            with suppress(ClusterError):  # one that hangs would start agents once it does not
                self._ask(coordinator.end.remote())
            self._ray.kill(coordinator)
        agents = self._agents()  # with those that it started until then
        silent = self._stop(agents)
        for agent in agents:
            self._ray.kill(agent)
        if silent:
            raise ClusterError(
                f"{silent} of {len(agents)} nodes do not say that their engine has ended, and it "
                "may go on; to be sure, run there: pkill -f monitor.cluster.keeper"
            )
        return len(agents)

    def _agents(self) -> list[Any]:
        """As Ray knows them: a coordinator that hangs, or is gone, need not say."""
        found = []
        for name in self._ray.util.list_named_actors():
            if name.startswith(AGENT):
                with suppress(ValueError):  # gone meanwhile
                    found.append(self._ray.get_actor(name, namespace=NAMESPACE))
        return found

    def _stop(self, agents: list[Any]) -> int:
        """End their engines; how many did not say that it has."""
        if not agents:
            return 0
        asked = [agent.stop.remote() for agent in agents]
        done, _ = self._ray.wait(asked, num_returns=len(asked), timeout=STOP_S)
        silent = len(asked) - len(done)
        for reference in done:
            try:
                self._ray.get(reference)
            except self._ray.exceptions.RayError:
                silent += 1
        return silent

    def _coordinator(self) -> Any:
        found = self._find()
        if found is None:
            raise ClusterError(
                "no oddwatch runs on this cluster; start it with: oddwatch cluster up CONFIG"
            )
        return found

    def _find(self) -> Any | None:
        try:
            return self._ray.get_actor(COORDINATOR, namespace=NAMESPACE)
        except ValueError:
            return None

    def _ask(self, reference: Any, within_s: float = ANSWER_S) -> Any:
        try:
            return self._ray.get(reference, timeout=within_s)
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[-1][:200]
            raise ClusterError(
                f"the coordinator does not answer ({first}); nodes go on with what they have; "
                "oddwatch cluster up CONFIG starts another"
            ) from error

    def _wait_gone(self) -> None:
        until_s = time.monotonic() + ANSWER_S
        while self._find() is not None and time.monotonic() < until_s:
            time.sleep(0.2)


def check_store(book: Book) -> str:
    """What is wrong with the shared database, seen from here; empty: nothing, or there is none."""
    if not book.cluster.store:
        return "no shared `store` is given: each node keeps its events to itself"
    try:
        resolver = Resolver(Registry(), os.environ)
        url = resolver.value(book.cluster.store, "store")
        if not url:
            return f"{resolver.lines[0]} here; nodes look for it there"
        SharedStore(url).close()
    except MonitorError as error:
        return f"{error}; nodes keep their events and forward them once it is well"
    return ""


def load(path: Path) -> Book:
    """The configuration of a fleet."""
    from monitor.cluster.settings import load_book

    return load_book(path)
