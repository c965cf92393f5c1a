"""OpenVINO and ONNX Runtime, without what they do beside computing.

A camera's program reports its use to nobody, and an edge machine without a network would wait.
"""

import os
import sys
from types import ModuleType
from typing import Any, cast

TELEMETRY = "openvino_telemetry"

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # NNCF imports ONNX Runtime as well


def load_onnxruntime() -> Any:
    """The package `onnxruntime`.

    Since 1.32 it keeps an identity of the machine in a file and tells Microsoft of each session's
    start, unless the environment forbids it before it is imported, by whomever.

    Raises:
        ImportError: If it is not installed.
    """
    import onnxruntime

    return onnxruntime


def load_openvino() -> Any:
    """The package `openvino`.

    When it is imported it starts a process that tells Google Analytics so, unless the package that
    does it is missing: it is hidden meanwhile.

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
