"""One thread per test process, as many of these run as there are cores; no cache of the user's."""

import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import cast

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
# OpenVINO's telemetry forks the process that imports it, a test worker with all its threads
sys.modules.setdefault("openvino_telemetry", cast("ModuleType", None))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
