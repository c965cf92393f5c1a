"""Freed blocks go back to the system, in a process of its own."""

import subprocess
import sys

import pytest

GROW_AND_FREE = """
import sys
import numpy as np
from monitor.memory import give_back_large_blocks

def resident_kb():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

assert give_back_large_blocks()
large = np.ones(30 * 2**20, np.uint8)
del large  # glibc's threshold would rise to 30 MB here
blocks, pins = [], []
before = resident_kb()
for _ in range(40):
    blocks.append(np.ones(4 * 2**20, np.uint8))
    pins.append(np.ones(16 * 2**10, np.uint8))
grown = resident_kb() - before
del blocks
print(grown, resident_kb() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's heap")
def test_small_blocks_that_live_on_do_not_keep_large_ones() -> None:
    words = [sys.executable, "-c", GROW_AND_FREE]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    grown, kept = map(int, told.split())
    assert grown > 150_000
    assert kept < 20_000
