"""What can be asked of the stored alerts, as values and as SQL."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from monitor.store_tables import LABELLED, NO_END, PINNED, UNSEEN, alerts

Label = Literal["true", "normal_here", "unsure"]
LABELS: tuple[Label, ...] = ("true", "normal_here", "unsure")
Sort = Literal["newest", "oldest", "strongest", "changed"]
SORTS: tuple[Sort, ...] = ("newest", "oldest", "strongest", "changed")


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts, and in which order; what is None or empty does not narrow."""

    source: str | None = None
    since: datetime | None = None  # aware; alerts that ended then or later
    until: datetime | None = None  # aware; alerts that started before
    is_open: bool | None = None
    acknowledged: bool | None = None
    label: Label | None = None
    sources: tuple[str, ...] = ()  # any of them
    pinned: bool | None = None
    labelled: bool | None = None
    text: str = ""  # words, each somewhere in id, source, reason, region or note; case is ignored
    changed_since: datetime | None = None  # aware; touched then or later, by anyone
    sort: Sort = "newest"  # "changed": latest change first
    also: "Condition | None" = None  # of whoever has tables beside these


EVERYTHING = AlertQuery()
Condition = sa.ColumnElement[bool]
NARROWING: dict[str, Callable[[Any], Condition]] = {
    "source": lambda name: alerts.c.source == name,
    "sources": alerts.c.source.in_,
    "since": lambda moment: alerts.c.ended_at >= moment,
    "until": lambda moment: alerts.c.started_at < moment,
    "changed_since": lambda moment: alerts.c.updated_at >= moment,
    "label": lambda label: sa.and_(LABELLED, alerts.c.label == label),
    "is_open": lambda yes: NO_END if yes else sa.not_(NO_END),
    "acknowledged": lambda yes: sa.not_(UNSEEN) if yes else UNSEEN,
    "pinned": lambda yes: PINNED if yes else sa.not_(PINNED),
    "labelled": lambda yes: LABELLED if yes else sa.not_(LABELLED),
}
SEARCHED = (alerts.c.id, alerts.c.source, alerts.c.reason, alerts.c.region, alerts.c.note)


def conditions(query: AlertQuery) -> list[Condition]:
    """What a row must fulfil, all of it."""
    wanted = [
        condition(value)
        for name, condition in NARROWING.items()
        if (value := getattr(query, name)) not in (None, ())
    ]
    also = [] if query.also is None else [query.also]
    return wanted + also + [_has_word(word) for word in query.text.split()]


def _has_word(word: str) -> Condition:
    return sa.or_(*(column.icontains(word, autoescape=True) for column in SEARCHED))


def order(sort: Sort) -> tuple[sa.UnaryExpression[object], ...]:
    """What an ORDER BY takes; no two rows are alike in it, so that pages do not overlap."""
    newest = (alerts.c.started_at.desc(), alerts.c.id.desc())
    orders = {
        "newest": newest,
        "oldest": (alerts.c.started_at.asc(), alerts.c.id.asc()),
        "strongest": (alerts.c.strength.desc().nulls_last(), *newest),
        "changed": (alerts.c.updated_at.desc(), alerts.c.id.desc()),
    }
    return orders[sort]
