"""What is said of packages that are not there, and that it is true of what is declared."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from monitor.missing import DASHBOARD, ENGINE, EXTRAS, NAMES, is_there, lacking, to_have
from tests.monitor.hidden import hide

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
OF_SCORING = {"PIL", "av", "cv2", "numpy", "platformdirs", "pydantic", "rich", "typer", "ulid"}


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[>=<\[]", line)[0] for line in requirements}


DECLARED = named(PROJECT["dependencies"]) | {"opencv-python-headless"}


def distribution(package: str) -> str:
    return NAMES.get(package, package).strip("'").partition("[")[0]


def loaded_by(module: str) -> set[str]:
    """Packages that importing a module brings in."""
    program = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return set(done.stdout.decode().split())


def test_a_package_by_itself_or_by_its_extra() -> None:
    assert to_have("psutil", "httpx_sse") == "pip install psutil httpx-sse"
    assert to_have("onnx", "onnxscript") == "pip install 'oddwatch[export]'"
    assert to_have("torch") == "pip install torch"


def test_without_torch_no_extra_is_named_as_it_would_bring_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hide(monkeypatch, "torch", "psycopg", "psutil")
    assert to_have("psycopg") == "pip install 'psycopg[binary]'"
    assert to_have("textual_serve", "ray") == "pip install textual-serve 'ray[default]'"
    for package in ("torch", "kornia", "nncf"):
        assert to_have(package).startswith("run it where all of oddwatch is installed; ")
    assert lacking("it", ["numpy"]) == ""
    assert lacking("it", ["numpy", "psycopg", "psutil"]) == (
        "it needs psycopg[binary], psutil, not installed here: pip install 'psycopg[binary]' psutil"
    )


def test_what_forbids_an_import_counts_as_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert not is_there("psutil")
    assert is_there("numpy")


@pytest.mark.parametrize(("package", "extra"), EXTRAS.items())
def test_extras_bring_what_they_are_named_for(package: str, extra: str) -> None:
    assert distribution(package) in named(PROJECT["optional-dependencies"][extra])


@pytest.mark.parametrize(
    ("module", "packages"),
    [
        ("monitor.live.engine, monitor.api.server, monitor.telling.webhook", ENGINE),
        ("monitor.tui.app", DASHBOARD),
    ],
)
def test_the_lists_are_what_is_imported(module: str, packages: tuple[str, ...]) -> None:
    loaded = loaded_by(module)
    assert loaded >= set(packages)
    declared = {name for name in loaded if distribution(name) in DECLARED}
    assert declared - OF_SCORING <= set(packages)
