"""Moments that people and programs may name: far from the ends of the calendar, and in UTC.

What lies at its ends can be written, but neither shifted to another zone nor added to.
"""

from datetime import UTC, datetime

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(9000, 1, 1, tzinfo=UTC)


def in_utc(moment: datetime) -> datetime:
    """An aware moment in UTC.

    Raises:
        ValueError: It is out of reach.
    """
    if not FIRST <= moment < END:
        raise ValueError(f"expected a moment of the years {FIRST.year} to {END.year - 1}")
    return moment.astimezone(UTC)
