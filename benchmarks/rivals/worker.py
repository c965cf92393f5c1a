"""A program that does what it is told, one thing at a time: so that rivals can take turns.

Each side runs in a process and an environment of its own and waits while the other works. Orders
and answers are lines of JSON; whatever else a side prints goes to standard error. Standard
library only: it is imported in both environments.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Deed = Callable[..., dict[str, Any]]


class WorkerError(Exception):
    """What was ordered was not done."""


def serve(deeds: Mapping[str, Deed]) -> None:
    """Do what standard input orders, until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to standard output
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = deeds[order.pop("do")](**order)
        except Exception:  # noqa: BLE001  the other side is told
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class Worker:
    """The other end of `serve`."""

    def __init__(self, name: str, command: list[str], log: Path, threads: int) -> None:
        """Start `command` with so many threads for OpenMP; its standard error goes to `log`."""
        self.name, self._log = name, log
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TRUST_REMOTE_CODE": "1"}
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=environment,
                text=True,
            )

    def do(self, deed: str, **order: Any) -> dict[str, Any]:
        """Have one thing done and wait for it.

        Raises:
            WorkerError: If it could not be done, or the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": deed, **order}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"{self.name} ended at {deed}; see {self._log}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.name} failed at {deed}:\n{answer['error']}")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(timeout=60)
