"""A process that is to end with the one that started it."""

import subprocess
import sys
import time

import psutil

CHILD = (
    "import time; from monitor.orphans import end_with_parent; end_with_parent(); time.sleep(99)"
)
PARENT = f"""import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", {CHILD!r}]).pid, flush=True)
time.sleep(99)"""


def test_it_ends_with_a_parent_that_is_killed() -> None:
    words = [sys.executable, "-c", PARENT]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.5)
        assert child.is_running()
        parent.kill()
    assert psutil.wait_procs([child], timeout=30)[0] == [child]
