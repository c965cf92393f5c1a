"""The command line called as a shell calls it."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from monitor.cli import main


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """What `--json` gave, line by line."""
        return [json.loads(line) for line in self.out.splitlines()]


def call(capsys: pytest.CaptureFixture[str], *words: object) -> Answer:
    """Run one command."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    said = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return Answer(left.value.code, said.out, said.err)
