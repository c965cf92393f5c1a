"""MVTec AD (Bergmann et al., CVPR 2019), one category: learn from good, judge good and defects.

VisA and others are redistributed in the same layout.
"""

from pathlib import Path

from monitor.datasets.layout import subfolder
from monitor.stills.layout import (
    StillLayout,
    StillRequest,
    classes_in,
    nothing_found,
    say_masks,
    test_folder,
    train_folder,
    with_masks,
)
from monitor.stills.still import StillSet

GOOD = "good"


def recognise(root: Path) -> bool:
    """Whether there is a folder train/good, and anything to judge by."""
    return looks_like(root, GOOD)


def load(request: StillRequest) -> StillSet:
    """Everything in test but good is anomalous."""
    return load_as(request, "mvtec", GOOD)


def looks_like(root: Path, good: str) -> bool:
    """Whether there is train/`good` with pictures, and test or ground_truth."""
    learned = train_folder(root)
    if learned is None or not classes_in(subfolder(learned, good)):
        return False
    return subfolder(root, "test") is not None or subfolder(root, "ground_truth") is not None


def load_as(request: StillRequest, layout: str, good: str) -> StillSet:
    """The layout with its own name for the normal class.

    Raises:
        DataSetError: If there are no pictures to learn from and none to judge.
    """
    root = request.root
    learned = train_folder(root)
    paths = classes_in(subfolder(learned, good)) if learned else {}
    train = [p for own in paths.values() for p in own]
    tested = classes_in(test_folder(root))
    stills = tuple(
        still
        for kind, own in tested.items()
        for still in request.stills(own, kind, label=None if not kind else kind != good)
    )
    normal = request.stills(train, good, label=False)
    if not normal and not stills:
        raise nothing_found(request, f"pictures in train/{good} and test/*")
    if tested and good not in tested:
        request.notes.append(f"no test/{good}: nothing normal to judge by")
    truth = subfolder(root, "ground_truth")
    stills = with_masks(request, stills, truth)
    source = f"folder names{say_masks(stills)}" if stills else None
    protocol = f"learned from train/{good}; in test all but {good} is anomalous"
    return request.made(layout, protocol, normal, stills, source)


LAYOUT = StillLayout("train/good, test/good, test/DEFECT, ground_truth/DEFECT", recognise, load)
