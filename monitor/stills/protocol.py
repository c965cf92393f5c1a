"""Which classes are normal: the two published ways of making a one-class set of a labelled one.

- `one-normal:NAME`: learn NAME alone, all other classes are anomalous (Ruff et al., Deep SVDD, ICML
  2018; the tables of MemAE and of most papers since).
- `one-abnormal:NAME`: NAME is anomalous, learn all other classes (Zenati et al., EGBAD, 2018; Akcay
  et al., GANomaly, ACCV 2018).

Figures of the one do not compare with figures of the other.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from monitor.errors import DataSetError, UsageError
from monitor.stills.layout import NORMAL_NAMES, some

ONE_NORMAL, ONE_ABNORMAL = "one-normal", "one-abnormal"
LEARNED_SHARE = 0.8  # of the normal pictures, where no split is given: EGBAD's and GANomaly's
SEED = 0  # of that split, which is the same in every run

Item = TypeVar("Item")


@dataclass(frozen=True)
class Roles:
    """Which classes are normal, and in which words that was asked for."""

    protocol: str  # `one-normal:NAME` or `one-abnormal:NAME`
    normal: tuple[str, ...]

    def anomalous(self, name: str) -> bool:
        """The truth for a picture of this class."""
        return name not in self.normal


def parse_roles(
    classes: Sequence[str], protocol: str | None, normal: str | None, where: str
) -> Roles | None:
    """What was asked for; None: nothing was.

    Raises:
        UsageError: If both are given, or the protocol is not known.
        DataSetError: If there is no such class.
    """
    if protocol is None and normal is None:
        return None
    if protocol is not None and normal is not None:
        raise UsageError(f"protocol {protocol} and normal {normal}: expected one of the two")
    kind, _, name = (protocol or f"{ONE_NORMAL}:{normal}").partition(":")
    if kind not in (ONE_NORMAL, ONE_ABNORMAL) or not name:
        raise UsageError(
            f"protocol {protocol}: not known; known are {ONE_NORMAL}:CLASS and {ONE_ABNORMAL}:CLASS"
        )
    known = {own.casefold(): own for own in classes}
    if name.casefold() not in known:
        raise DataSetError(f"{where}: no class {name}; there are {some(list(classes), 12)}")
    return _roles(kind, known[name.casefold()], classes)


def guess_roles(learned: Sequence[str], classes: Sequence[str], where: str) -> Roles:
    """The only class to learn from is normal; of several, the one that is called so.

    Raises:
        DataSetError: If that does not tell.
    """
    called = [name for name in NORMAL_NAMES if name in {own.casefold() for own in learned}]
    if len(learned) == 1:
        return _roles(ONE_NORMAL, learned[0], classes)
    if len(called) == 1:
        return _roles(ONE_NORMAL, _spelt(called[0], learned), classes)
    raise DataSetError(
        f"{where}: {len(learned)} classes ({some(list(learned))}); say which is normal, "
        f"e.g. protocol {ONE_NORMAL}:{learned[0]} or {ONE_ABNORMAL}:{learned[0]}"
    )


def split_normal(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """A share to learn from and the rest, both in their own order; the same in every run."""
    n_learned = round(LEARNED_SHARE * len(items))
    if len(items) > 1:
        n_learned = min(max(n_learned, 1), len(items) - 1)
    order = list(range(len(items)))
    random.Random(SEED).shuffle(order)  # noqa: S311 - no secret
    learned = set(order[:n_learned])
    return (
        [item for index, item in enumerate(items) if index in learned],
        [item for index, item in enumerate(items) if index not in learned],
    )


def _roles(kind: str, name: str, classes: Sequence[str]) -> Roles:
    if kind == ONE_NORMAL:
        return Roles(f"{kind}:{name}", (name,))
    return Roles(f"{kind}:{name}", tuple(own for own in classes if own != name))


def _spelt(folded: str, names: Sequence[str]) -> str:
    return next(name for name in names if name.casefold() == folded)
