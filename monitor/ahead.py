"""What is made in threads of its own while the consumer works on what was made before."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from monitor.cpu import cores

Item = TypeVar("Item")
Made = TypeVar("Made")

AHEAD = 16  # clips made ready before they are asked for: a keyframe's pause, not a memory


MAKERS = 4  # threads, at most, of what is made side by side


def made_ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Generator[tuple[Item, Made]]:
    """Each item with what is made of it, in order; as many are made at a time as there are cores.

    What `make` raises is raised here, in its place. Where the consumer stops early, nothing more
    is begun, and nobody waits for what is being made: whoever leaves this to be collected would
    wait where Python drops a Ctrl-C.
    """
    makers = min(MAKERS, cores())
    under_way: deque[tuple[Item, Future[Made]]] = deque()
    pool = ThreadPoolExecutor(makers, thread_name_prefix="ahead")
    try:
        for item in items:
            under_way.append((item, pool.submit(make, item)))
            if len(under_way) > makers:
                first, made = under_way.popleft()
                yield first, made.result()
        for first, made in under_way:
            yield first, made.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ahead(items: Iterable[Item], most: int = AHEAD) -> Generator[Item]:
    """The same items, made in a thread of their own while the consumer works.

    An error of the maker is raised here, in its place. When the consumer stops early the maker
    is told, and has ended when this generator is closed; close it, since a Ctrl-C is lost while it
    is collected.
    """
    ready: queue.Queue[tuple[str, object]] = queue.Queue(maxsize=most)
    stop = threading.Event()
    maker = threading.Thread(target=_fill, args=(items, ready, stop), daemon=True)
    maker.start()
    try:
        while True:
            what, value = ready.get()
            if what == "end":
                return
            if what == "error":
                raise value  # type: ignore[misc]
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        maker.join()


def _fill(
    items: Iterable[Item], ready: "queue.Queue[tuple[str, object]]", stop: threading.Event
) -> None:
    def put(what: str, value: object) -> bool:
        while not stop.is_set():
            try:
                ready.put((what, value), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    try:
        for item in items:
            if not put("item", item):
                return
        put("end", None)
    except BaseException as error:  # noqa: BLE001  handed over, raised by the consumer
        put("error", error)
