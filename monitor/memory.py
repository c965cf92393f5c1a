"""Memory given back as soon as it is free."""

import ctypes
import sys

M_MMAP_THRESHOLD = -3  # of glibc's mallopt
LARGE_BYTES = 2**20


def give_back_large_blocks() -> bool:
    """Let blocks from 1 MB on be mapped and unmapped one by one; whether that could be arranged.

    glibc keeps freed blocks of up to 32 MB in its heap, and a small block that lives on above them
    keeps them all: training fusion grew to 2.6 GB so, and needs 1.2. Other systems do not do that.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(M_MMAP_THRESHOLD, LARGE_BYTES))
