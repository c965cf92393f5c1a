import subprocess
import sys

from models import names
from models.registry import DETECTORS

SLOW = {"torchvision", "sklearn", "kornia", "torch._dynamo"}  # 0.5 to 3 seconds each, beside torch


def test_naming_the_detectors_imports_nothing_that_only_some_of_them_need() -> None:
    program = f"import sys, models.registry; print({SLOW} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == "set()"


def test_the_names_without_torch_are_the_registry_s() -> None:
    of = {"video": names.VIDEO, "image": names.STILLS}
    found = {kind: tuple(n for n, d in DETECTORS.items() if d.kind == kind) for kind in of}
    assert found == of
    program = "import sys, monitor.config.loading; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == "False"
