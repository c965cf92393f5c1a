"""The end of a capture worker: what it finishes then is heard."""

import time

from monitor.capture.feed import Feed
from monitor.capture.records import ClipFailed, ClipWritten, Stop

LOOK_S = 0.02


def last_words(feed: Feed, timeout_s: float) -> list[ClipWritten | ClipFailed]:
    """Stop it for good; blocks until it ends, `timeout_s` at most, then kills it.

    Gives what became of the clips that were in the making.
    """
    feed.send(Stop())
    until_s = time.monotonic() + timeout_s
    while feed.alive and time.monotonic() < until_s:
        time.sleep(LOOK_S)
    told = [notice for notice in feed.notices() if isinstance(notice, ClipWritten | ClipFailed)]
    feed.stop(0)
    return told
