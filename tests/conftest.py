"""One thread per test process: as many of these run as there are cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
