"""What the sources log of lost frames, kept off the screen where the command tells it itself."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_sources() -> Iterator[None]:
    """The level is as it was afterwards."""
    log = logging.getLogger("monitor.sources")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
