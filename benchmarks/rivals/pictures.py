"""One folder of pictures that both sides read, parted as oddwatch parts its normal pictures.

    train/good   what both learn from
    held/good    what oddwatch takes the scale of its errors from; anomalib has no use for it
    test/good, test/bad

Links to the files of a set; nothing is copied or changed.
"""

from collections.abc import Sequence
from pathlib import Path

from monitor.stills.opening import open_stills
from monitor.stills.split import split_stills
from monitor.stills.still import Still


def lay_out(data: Path, place: Path, most_train: int, most_test: int, seed: int) -> list[bool]:
    """Link a set's pictures into `place`; whether each of `tested` is defective.

    At most so many are taken of either split, evenly over the set.
    """
    found = open_stills(data)
    parts = split_stills(found.train, seed)
    _link(_some(parts.fit, most_train), place / "train" / "good")
    _link(_some(parts.held_out, most_train), place / "held" / "good")
    test = _some(found.test, most_test)
    for label, name in ((False, "good"), (True, "bad")):
        _link([still for still in test if still.label is label], place / "test" / name)
    return [Path(path).parent.name == "bad" for path in tested(place)]


def tested(place: Path) -> list[str]:
    """The test pictures, in the order in which they are judged."""
    return [str(path) for path in sorted(place.glob("test/*/*"))]


def _some(stills: Sequence[Still], most: int) -> list[Still]:
    if len(stills) <= most:
        return list(stills)
    return [stills[i * len(stills) // most] for i in range(most)]


def _link(stills: Sequence[Still], place: Path) -> None:
    place.mkdir(parents=True)
    for number, still in enumerate(stills):
        assert still.path is not None
        (place / f"{number:05}{still.path.suffix}").symlink_to(still.path.resolve())
