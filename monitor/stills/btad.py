"""BTAD (Mishra et al., "VT-ADL", ISIE 2021), one product: train/ok, test/ok, test/ko."""

from pathlib import Path

from monitor.stills.layout import StillLayout, StillRequest
from monitor.stills.mvtec import load_as, looks_like
from monitor.stills.still import StillSet

OK = "ok"


def recognise(root: Path) -> bool:
    """Whether there is a folder train/ok, and anything to judge by."""
    return looks_like(root, OK)


def load(request: StillRequest) -> StillSet:
    """Masks have the names of their pictures; product 03 has them as .bmp."""
    return load_as(request, "btad", OK)


LAYOUT = StillLayout("train/ok, test/ok, test/ko, ground_truth/ko", recognise, load)
