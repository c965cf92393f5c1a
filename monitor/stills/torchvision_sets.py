"""MNIST, Fashion-MNIST and CIFAR-10 as torchvision stores them; read here, never downloaded.

Under the two published protocols, with the pictures that their papers used:

- one-normal: the class in the training part is learned; the whole test part is judged;
- one-abnormal: both parts together; four in five normal pictures are learned, the fifth and all of
  the anomalous class are judged. EGBAD and GANomaly draw these anew; here with seed 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import DataSetError, UsageError
from monitor.records import Image
from monitor.stills.layout import StillLayout, StillRequest
from monitor.stills.protocol import ONE_NORMAL, Roles, parse_roles, split_normal
from monitor.stills.still import Still, StillSet

NAMES = ("mnist", "fashion_mnist", "cifar10")


@dataclass(frozen=True)
class Published:
    """How torchvision calls a set, and the file that shows that it is there."""

    layout: str
    class_name: str  # in torchvision.datasets
    folder: str
    proof: str  # in `folder`

    def parent(self, root: Path) -> Path | None:
        """What torchvision calls root; the folder itself may be named, too."""
        places = (root, root.parent if root.name == self.folder else root)
        return next((own for own in places if (own / self.folder / self.proof).is_file()), None)


@dataclass(frozen=True, eq=False)
class _Part:
    """The training or the test part: all pictures in one array."""

    name: str
    pictures: NDArray[np.uint8]  # (N, H, W) or (N, H, W, 3)
    targets: tuple[int, ...]
    classes: tuple[str, ...]


def _load(published: Published, request: StillRequest) -> StillSet:
    parent = published.parent(request.root)
    if parent is None:
        raise DataSetError(
            f"{request.root}: expected {published.folder}/{published.proof}, found nothing there; "
            "nothing is downloaded: fetch it with torchvision and name its root"
        )
    train, test = (_part(published, parent, name) for name in ("train", "test"))
    names = [*train.classes]
    aliases = [str(index) for index in range(len(names))]
    roles = _roles(request, names, aliases)
    learned, judged = (_stills(part, roles) for part in (train, test))
    if roles.protocol.startswith(ONE_NORMAL):
        normal = [still for still in learned if not still.label]
        said = f"{roles.protocol}; the training part's are learned, the whole test part is judged"
    else:
        pool = [*learned, *judged]
        normal, rest = split_normal([still for still in pool if not still.label])
        judged = [*rest, *(still for still in pool if still.label)]
        said = (
            f"{roles.protocol}; both parts together, 80 % of the normal pictures are learned, "
            "drawn with seed 0"
        )
    return request.made(published.layout, said, tuple(normal), tuple(judged), "class labels")


def _roles(request: StillRequest, names: list[str], aliases: list[str]) -> Roles:
    """As asked, by name or by number; nothing can be guessed here."""
    asked = request.protocol or (request.normal and f"{ONE_NORMAL}:{request.normal}")
    if asked is None:
        raise UsageError(
            f"{request.root}: ten classes; say which is normal or abnormal, "
            f"e.g. protocol {ONE_NORMAL}:{names[3]} or one-abnormal:{names[3]}"
        )
    kind, _, name = asked.partition(":")
    if name in aliases and name not in names:
        asked = f"{kind}:{names[int(name)]}"
    both = request.normal if request.protocol else None
    roles = parse_roles(names, asked, both, str(request.root))
    assert roles is not None
    return roles


def _part(published: Published, parent: Path, name: str) -> _Part:
    import torchvision.datasets

    kind: Callable[..., Any] = getattr(torchvision.datasets, published.class_name)
    try:
        held = kind(str(parent), train=name == "train", download=False)
    except Exception as error:  # whatever parsing raises
        raise DataSetError(
            f"{parent / published.folder}: torchvision cannot read its {name} part: {_why(error)}"
        ) from error
    targets = tuple(int(target) for target in held.targets)
    classes = tuple(_short(own) for own in held.classes)
    return _Part(name, np.asarray(held.data), targets, classes)


def _why(error: Exception) -> str:
    """Torchvision's advice, download=True, is no option here."""
    if "download=True" not in str(error):
        return str(error)
    return "files are missing or are not the published ones; put the set there anew"


def _short(name: str) -> str:
    """MNIST's "3 - three" is 3."""
    return name.partition(" - ")[0]


def _stills(part: _Part, roles: Roles) -> list[Still]:
    return [
        Still(
            f"{part.name}/{index:05d}",
            part.classes[target],
            roles.anomalous(part.classes[target]),
            partial(_picture, part.pictures, index),
        )
        for index, target in enumerate(part.targets)
    ]


def _picture(pictures: NDArray[np.uint8], index: int) -> Image:
    own = pictures[index]
    return np.repeat(own[..., None], 3, axis=2) if own.ndim == 2 else own.copy()


def _layout(published: Published) -> StillLayout:
    return StillLayout(
        f"{published.folder}/{published.proof}, as torchvision stores it",
        lambda root: published.parent(root) is not None,
        partial(_load, published),
    )


_IDX = "raw/train-images-idx3-ubyte"
MNIST = _layout(Published("mnist", "MNIST", "MNIST", _IDX))
FASHION_MNIST = _layout(Published("fashion_mnist", "FashionMNIST", "FashionMNIST", _IDX))
CIFAR10 = _layout(Published("cifar10", "CIFAR10", "cifar-10-batches-py", "data_batch_1"))
