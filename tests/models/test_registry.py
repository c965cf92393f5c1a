import subprocess
import sys

SLOW = {"torchvision", "sklearn", "kornia", "torch._dynamo"}  # 0.5 to 3 seconds each, beside torch


def test_naming_the_detectors_imports_nothing_that_only_some_of_them_need() -> None:
    program = f"import sys, models.registry; print({SLOW} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == "set()"
