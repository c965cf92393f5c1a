"""An accelerator that failed: how it is said, and what computes in its place. Knows no torch."""

import re

ADVICE = re.compile(r": [^:]*--device cpu$")  # to who runs a command; the engine has no such option


def runtime_on_cpu(runtime: str) -> str:
    """What stands in for a runtime on the CPU; half precision is a GPU's alone."""
    return "auto" if runtime == "torch-half" else runtime
