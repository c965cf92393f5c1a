"""Bringing a fleet up, asking how it is, and taking it down; from any machine that reaches Ray."""

import os
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from monitor.cluster.actors import COORDINATOR, CoordinatorActor
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
        """End all engines and actors; how many nodes there were."""
        coordinator = self._coordinator()
        self._ask(coordinator.end.remote())
        names = self._ask(coordinator.agents.remote())
        agents = []
        for name in names:
            try:
                agents.append(self._ray.get_actor(name, namespace=NAMESPACE))
            except ValueError:
                continue
        self._ray.wait(
            [agent.stop.remote() for agent in agents], num_returns=len(agents), timeout=STOP_S
        ) if agents else None
        for actor in [*agents, coordinator]:
            self._ray.kill(actor)
        return len(agents)

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
