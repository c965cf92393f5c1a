"""Freed blocks go back to the system, in a process of its own."""

import subprocess
import sys

import pytest

GROW_AND_FREE = """
import time
import numpy as np
from monitor import memory

def resident_kb():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

memory.EVERY_S = 0.1
assert memory.give_back_freed()
large = np.ones(30 * 2**20, np.uint8)
del large  # from now on glibc takes blocks of up to 30 MB from its heap
blocks, pins = [], []
before = resident_kb()
for _ in range(40):
    blocks.append(np.ones(4 * 2**20, np.uint8))
    pins.append(np.ones(16 * 2**10, np.uint8))
grown = resident_kb() - before
del blocks
time.sleep(1)
print(grown, resident_kb() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's heap")
def test_small_blocks_that_live_on_do_not_keep_large_ones() -> None:
    words = [sys.executable, "-c", GROW_AND_FREE]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    grown, kept = map(int, told.split())
    assert grown > 150_000
    assert kept < 20_000
