"""Threads that wait for each other without using up the processor."""

import os

SPINS = "1000"  # some microseconds; GNU's own is 300,000, some milliseconds


def let_waiting_threads_sleep() -> None:
    """Have OpenMP's threads sleep soon when they wait for each other; before torch is imported.

    By itself GNU's OpenMP, which torch computes with, spins for milliseconds at the end of every
    layer. Where anything else runs on the machine, other cameras for example, those are taken from
    it: with a load of five per core, scoring and learning were five to seven times as fast without.
    What the environment says already (`OMP_WAIT_POLICY`, `GOMP_SPINCOUNT`) stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
