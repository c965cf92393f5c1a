"""What others log, kept off the screen where it tells a user nothing that a command does not."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_sources() -> Iterator[None]:
    """Of lost frames; the level is as it was afterwards."""
    log = logging.getLogger("monitor.sources")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def quiet_drawing() -> None:
    """That matplotlib can keep no cache in an unwritable home; it makes one for the time."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
