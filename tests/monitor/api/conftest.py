from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitor.api.scripted import ScriptedEngine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    scripted = ScriptedEngine(tmp_path, ["door", "yard"])
    yield scripted
    scripted.store.close()
