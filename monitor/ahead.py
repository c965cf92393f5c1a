"""What is made in a thread of its own while the consumer works on what was made before."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")

AHEAD = 16  # clips made ready before they are asked for: a keyframe's pause, not a memory


def ahead(items: Iterable[Item], most: int = AHEAD) -> Generator[Item]:
    """The same items, made in a thread of their own while the consumer works.

    An error of the maker is raised here, in its place. When the consumer stops early the maker
    is told, and has ended when this generator is closed.
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
