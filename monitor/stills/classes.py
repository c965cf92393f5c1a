"""Pictures in folders named by their class, with a split or (ImageFolder) without one."""

from collections.abc import Iterable
from pathlib import Path

from monitor.datasets.layout import subfolder
from monitor.errors import DataSetError
from monitor.stills.layout import (
    NORMAL_NAMES,
    StillLayout,
    StillRequest,
    classes_in,
    has_pictures,
    nothing_found,
    say_masks,
    some,
    test_folder,
    train_folder,
    with_masks,
)
from monitor.stills.protocol import ONE_NORMAL, Roles, guess_roles, parse_roles, split_normal
from monitor.stills.still import Still, StillSet

Classes = dict[str, list[Path]]


def recognise(root: Path) -> bool:
    """Whether there is a train or test folder with pictures."""
    return has_pictures(train_folder(root)) or has_pictures(test_folder(root))


def load(request: StillRequest) -> StillSet:
    """Which class is normal: as asked; else the only one in train, or the one called normal.

    Pictures directly in train are normal, pictures directly in test are without truth.
    """
    root = request.root
    train, test = classes_in(train_folder(root)), classes_in(test_folder(root))
    if not train and not test:
        raise nothing_found(request, LAYOUT.looks_for)
    roles = _roles(request, train, test)
    normal = _join(
        request.stills(train[name], name, label=False) for name in _learned(roles, train)
    )
    judged = _join(
        request.stills(paths, name, label=roles.anomalous(name) if name else None)
        for name, paths in test.items()
    )
    judged = with_masks(request, judged, subfolder(root, "ground_truth"))
    _note_roles(request, roles, train, test)
    said = f"{roles.protocol}; the split is the folders'"
    labelled = any(still.label is not None for still in judged)
    source = f"folder names{say_masks(judged)}" if labelled else None
    return request.made("classes", said, normal, judged, source)


def recognise_whole(root: Path) -> bool:
    """Whether sub-folders hold pictures, and one of several is called good, ok or normal."""
    names = [name.casefold() for name in classes_in(root) if name] if root.is_dir() else []
    return len(names) > 1 and any(name in NORMAL_NAMES for name in names)


def load_whole(request: StillRequest) -> StillSet:
    """ImageFolder's layout: four in five normal pictures to learn from, all else to judge by."""
    classes = {name: own for name, own in classes_in(request.root).items() if name}
    if not classes:
        raise nothing_found(request, WHOLE.looks_for)
    names = list(classes)
    roles = parse_roles(names, request.protocol, request.normal, str(request.root))
    roles = roles or guess_roles(names, names, str(request.root))
    train: list[Still] = []
    test: list[Still] = []
    for name, paths in classes.items():
        label = roles.anomalous(name)
        own = request.stills(paths, name, label=label)
        learned, judged = ([], list(own)) if label else split_normal(own)
        train += learned
        test += judged
    said = f"{roles.protocol}; of the normal pictures 80 % are learned from, drawn with seed 0"
    return request.made("image_folder", said, tuple(train), tuple(test), "folder names")


def _roles(request: StillRequest, train: Classes, test: Classes) -> Roles:
    names = [*dict.fromkeys([*train, *test])]
    named = [name for name in names if name]
    asked = parse_roles(named, request.protocol, request.normal, str(request.root))
    if asked is not None:
        return asked
    if not train:
        return guess_roles([*filter(None, test)] or [""], names, str(request.root))
    if list(train) == [""]:  # pictures directly in train
        same = [name for name in test if name.casefold() in NORMAL_NAMES]
        return Roles(f"{ONE_NORMAL}:train", ("", *same))
    return _also_called(guess_roles([*filter(None, train)], names, str(request.root)), test)


def _also_called(roles: Roles, test: Classes) -> Roles:
    """With test's own name for the normal class, where train calls it otherwise."""
    if set(roles.normal) & set(test):
        return roles
    same = [name for name in test if name.casefold() in NORMAL_NAMES]
    return Roles(roles.protocol, (*roles.normal, *same[:1]))


def _learned(roles: Roles, train: Classes) -> list[str]:
    return [name for name in train if name in roles.normal]


def _note_roles(request: StillRequest, roles: Roles, train: Classes, test: Classes) -> None:
    """What was left out, and what is not there to judge by."""
    left = [name for name in train if name not in roles.normal]
    if left:
        count = sum(len(train[name]) for name in left)
        request.notes.append(
            f"{count} pictures in train are not learned from: {some([n or 'train' for n in left])}"
        )
    if train and not _learned(roles, train):
        raise DataSetError(
            f"{request.root}: nothing of {some(list(roles.normal))} in train; "
            f"there are {some(list(train))}"
        )
    named = [name for name in test if name]
    if named and not set(named) & set(roles.normal):
        request.notes.append(
            f"no test pictures of {some(list(filter(None, roles.normal)) or ['train'])}, "
            f"only of {some(named)}: nothing normal to judge by"
        )
    if named and not set(named) - set(roles.normal):
        request.notes.append(f"test pictures of {some(named)} only: nothing anomalous to judge by")


def _join(parts: Iterable[tuple[Still, ...]]) -> tuple[Still, ...]:
    return tuple(still for part in parts for still in part)


LAYOUT = StillLayout("train/NAME and test/NAME with pictures", recognise, load)
WHOLE = StillLayout(
    "sub-folders NAME with pictures, one called good, ok or normal", recognise_whole, load_whole
)
