"""Packages that are not there: what to type for them, and what runs where there is no torch.

An install without torch (`configs/deploy/edge-requirements.txt`) leaves out what exported models do
not need. There pip is told the packages themselves: `oddwatch` and its extras would bring torch.
"""

from collections.abc import Iterable
from importlib.util import find_spec

from monitor.errors import UsageError

EXTRAS = {  # of pyproject.toml, by the package that is imported
    "nncf": "export",
    "onnx": "export",
    "onnxruntime": "edge",
    "onnxscript": "export",
    "openvino": "edge",
    "psycopg": "postgres",
    "ray": "cluster",
    "textual_serve": "web",
}
NAMES = {  # for pip, where it is another name
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "httpx_sse": "httpx-sse",
    "paho": "paho-mqtt",
    "prometheus_client": "prometheus-client",
    "psycopg": "'psycopg[binary]'",
    "ray": "'ray[default]'",
    "sklearn": "scikit-learn",
    "textual_image": "textual-image",
    "textual_plot": "textual-plot",
    "textual_serve": "textual-serve",
    "ulid": "python-ulid",
}
OF_TORCH = ("torch", "torchvision", "kornia", "sklearn", "nncf", "onnx", "onnxscript")
ENGINE = (
    "fastapi",
    "httpx",
    "paho",
    "prometheus_client",
    "psutil",
    "sqlalchemy",
    "uvicorn",
)
DASHBOARD = ("httpx", "httpx_sse", "textual", "textual_image", "textual_plot")
ELSEWHERE = (
    "run it where all of oddwatch is installed; what oddwatch export wrote there is taken here by "
    "score, inspect, calibrate, watch and bench"
)


def is_there(package: str) -> bool:
    """Whether a package is installed, by the name that it is imported by; does not import it."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # so says what forbids it
        return False


def to_have(*packages: str) -> str:
    """What to do so that they are there, by the names that they are imported by."""
    torch = is_there("torch")
    if not torch and any(package in OF_TORCH for package in packages):
        return ELSEWHERE
    wanted = [
        f"'oddwatch[{EXTRAS[package]}]'"
        if torch and package in EXTRAS
        else NAMES.get(package, package)
        for package in packages
    ]
    return f"pip install {' '.join(dict.fromkeys(wanted))}"


def lacking(what: str, packages: Iterable[str]) -> str:
    """One line on those of its packages that are not there; empty: all are."""
    gone = [package for package in packages if not is_there(package)]
    if not gone:
        return ""
    named = ", ".join(NAMES.get(package, package).strip("'") for package in gone)
    return f"{what} needs {named}, not installed here: {to_have(*gone)}"


def refuse_without(what: str, packages: Iterable[str]) -> None:
    """Name all that is missing at once, before the first import fails.

    Raises:
        UsageError: If something is.
    """
    line = lacking(what, packages)
    if line:
        raise UsageError(line)
