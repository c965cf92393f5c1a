"""How long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]  # what is being done, frames done, frames in all


def quiet(_what: str, _done: int, _total: int | None) -> None:
    """A progress for those who do not want one."""
