"""Whether what a calibration's file says can be: numbers that are numbers, scores that rise.

What is wrong raises ValueError with its name, what was expected and what came.
"""

from collections.abc import Mapping
from math import inf, isfinite, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.tail import Tail


def check_numbers(plain: Mapping[str, Any], least: Mapping[str, float]) -> None:
    """Each of these is a number, and no less; -inf: a finite one."""
    for name, lowest in least.items():
        value = plain[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or isnan(value) or value < lowest or (lowest == -inf and not isfinite(value)):
            wanted = "a finite number" if lowest == -inf else f"a number from {lowest:g}"
            raise ValueError(f"{name}: expected {wanted}, got {value!r:.60}")


def rising(scores: Any) -> NDArray[np.float64]:
    """Scores of normal footage, in order."""
    found = np.asarray(scores, float)
    if found.ndim != 1 or not len(found):
        raise ValueError(f"scores: expected a list of numbers, got {scores!r:.60}")
    if not np.isfinite(found).all():
        raise ValueError("scores: expected finite numbers, got some that are not")
    if (np.diff(found) < 0).any():
        raise ValueError("scores: expected rising numbers, got some that fall")
    return found


def sound_tail(plain: Mapping[str, Any]) -> Tail:
    """A tail whose chances can be computed."""
    tail = Tail(**plain)
    check_numbers(plain, {"start": -inf, "scale": 0, "shape": -inf})
    return tail


def texts(name: str, plain: Any) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(plain, list | tuple) or not all(isinstance(one, str) for one in plain):
        raise ValueError(f"{name}: expected a list of texts, got {plain!r:.60}")
    return tuple(plain)
