"""What is set before torch is imported, and what the user's own settings outweigh."""

import os
import subprocess
import sys

import pytest

from monitor.waiting import SPINS, let_waiting_threads_sleep


@pytest.mark.parametrize(
    ("given", "spins"),
    [
        ({}, SPINS),
        ({"GOMP_SPINCOUNT": "5"}, "5"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_threads_sleep_unless_the_user_says_otherwise(
    given: dict[str, str], spins: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    let_waiting_threads_sleep()
    assert os.environ.get("GOMP_SPINCOUNT") == spins


def test_the_command_sets_it_before_anything_of_torch_is_there() -> None:
    script = (
        "import os, sys, monitor.cli\n"
        "assert 'torch' not in sys.modules\n"
        "try: monitor.cli.main(['--version'])\n"
        "except SystemExit: print(os.environ['GOMP_SPINCOUNT'])"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT",)}
    said = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout.split()[-1] == SPINS
