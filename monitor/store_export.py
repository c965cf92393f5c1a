"""Stored alerts as a table or a document for other programs."""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal, TextIO

from monitor.records import Alert
from monitor.store import StoredAlert

FIELDS = (
    *Alert.__dataclass_fields__,
    *(name for name in StoredAlert.__dataclass_fields__ if name != "alert"),
)


def export(stored: Iterable[StoredAlert], out: TextIO, kind: Literal["csv", "json"]) -> None:
    """Write all, in the given order; times as ISO 8601 in UTC, what is missing as empty or null.

    Open the file for CSV with `newline=""`.
    """
    rows = [to_plain(item) for item in stored]
    if kind == "json":
        json.dump(rows, out, indent=2, ensure_ascii=False)
        out.write("\n")
        return
    writer = csv.DictWriter(out, FIELDS)
    writer.writeheader()
    writer.writerows({name: _unarmed(value) for name, value in row.items()} for row in rows)


def to_plain(stored: StoredAlert) -> dict[str, Any]:
    """One flat record of numbers, strings and None, keys in the order of `FIELDS`."""
    values = asdict(stored)
    values |= values.pop("alert")
    return {name: _plain(values[name]) for name in FIELDS}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _unarmed(value: Any) -> Any:
    """Spreadsheets run what begins like a formula; a quote before it makes it text (OWASP)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
