"""OpenVINO, without what it does beside computing."""

import sys
from types import ModuleType
from typing import Any, cast

TELEMETRY = "openvino_telemetry"


def load_openvino() -> Any:
    """The package `openvino`.

    When it is imported it starts a process that tells Google Analytics so, unless the package that
    does it is missing: it is hidden meanwhile. A camera's program reports its use to nobody, and an
    edge machine without a network would wait for it.

    Raises:
        ImportError: If it is not installed.
    """
    hidden = TELEMETRY not in sys.modules
    if hidden:
        sys.modules[TELEMETRY] = cast("ModuleType", None)  # makes importing it fail
    try:
        import openvino
    finally:
        if hidden:
            del sys.modules[TELEMETRY]
    return openvino
