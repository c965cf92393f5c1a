"""ONNX as OpenVINO's own format."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from monitor.errors import UsageError
from monitor.runtimes.silent import load_openvino


def as_openvino(content: bytes) -> tuple[bytes, bytes]:
    """The graph (`model.xml`) and its weights (`model.bin`), at full precision.

    Raises:
        UsageError: If OpenVINO is not installed.
    """
    try:
        openvino = load_openvino()
    except ImportError as error:
        raise UsageError(
            "--to openvino needs openvino, not installed here: pip install 'oddwatch[export]'"
        ) from error
    return serialised(openvino.Core().read_model(content))


def serialised(graph: Any) -> tuple[bytes, bytes]:
    """An OpenVINO graph as the bytes of its two files."""
    openvino = load_openvino()

    with TemporaryDirectory() as folder:
        xml, weights = Path(folder) / "model.xml", Path(folder) / "model.bin"
        openvino.serialize(graph, xml, weights)
        return xml.read_bytes(), weights.read_bytes()
