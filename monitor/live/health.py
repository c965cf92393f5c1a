"""What the decisions say to people: a health event begins, or is over."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A health event begins. Of one camera there is at most one open event of a kind."""

    kind: str  # as in `monitor.api.schema.HealthView`
    severity: Severity
    text: str  # one line for people, without secrets


@dataclass(frozen=True, slots=True)
class Closed:
    """What was opened under this kind is over."""

    kind: str


HealthNews = Opened | Closed
