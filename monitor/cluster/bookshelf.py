"""Where a coordinator that Ray starts again finds the fleet's configuration and models.

In the key-value store of Ray's head: what an actor is constructed with is gone with the program
that constructed it, as soon as it is larger than 100 kB.
"""

import pickle
from typing import Any

from monitor.cluster.ray_link import NAMESPACE, load_ray
from monitor.cluster.settings import Book

PREFIX = "book-"


def put_book(book: Book, generation: int) -> None:
    """Keep it, in place of all earlier ones."""
    shelf, name = _shelf(), f"{PREFIX}{generation}"
    shelf._internal_kv_put(name, pickle.dumps(book), namespace=NAMESPACE)  # noqa: SLF001  Ray has no other
    for found in shelf._internal_kv_list(PREFIX, namespace=NAMESPACE):  # noqa: SLF001
        if found != name.encode():
            shelf._internal_kv_del(found, namespace=NAMESPACE)  # noqa: SLF001


def take_book(generation: int) -> Book:
    """As it was put.

    Raises:
        LookupError: It is not there any more.
    """
    content = _shelf()._internal_kv_get(f"{PREFIX}{generation}", namespace=NAMESPACE)  # noqa: SLF001
    if content is None:
        raise LookupError(f"the configuration of coordinator {generation} is gone")
    found: Book = pickle.loads(content)  # noqa: S301  as whatever actors are sent
    return found


def _shelf() -> Any:
    load_ray()
    from ray.experimental import internal_kv

    return internal_kv
