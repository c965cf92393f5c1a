"""Memory given back soon after it is free."""

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from functools import cache

EVERY_S = 2.0  # a call takes some 0.02 s of one core


@cache  # one thread, however often it is asked for
def give_back_freed() -> bool:
    """Give what is free back to the system from now on; whether that could be arranged.

    glibc keeps freed blocks in its heaps, and a small block that lives on above them keeps them
    all: training fusion grew to 4.1 GB so, and needs 1.9. It can be asked for what lies between.
    To have each large block mapped and unmapped by itself keeps less, and took a fifth of the time.
    Other systems give back by themselves.
    """
    if not sys.platform.startswith("linux"):
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is None:
        return False
    threading.Thread(target=_keep_trimming, args=(trim,), name="memory", daemon=True).start()
    return True


def _keep_trimming(trim: Callable[[int], int]) -> None:
    while True:
        time.sleep(EVERY_S)
        trim(0)
