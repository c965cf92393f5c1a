"""Who waits where the processors do not suffice: steps of niceness after the engine's own.

The engine decides and answers people, with a twentieth of a core; among forty busy processes of the
same rank it got no more, and was silent for ten seconds. What is captured late cannot be had again,
what is scored late is shed visibly (`monitor.live.overload`), and learning has time.
"""

import os
from collections.abc import Callable

CAPTURE = 3
SCORING = 5
LEARNING = 15


def run_behind(steps: int, run: Callable[..., None], *args: object) -> None:
    """A process's whole life, others before it."""
    os.nice(steps)
    run(*args)
