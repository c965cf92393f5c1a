"""Stored alerts in words: a row of a table, or all that is known of one."""

from typing import TYPE_CHECKING

from monitor.cli.printing import say_clock, say_span

if TYPE_CHECKING:
    from monitor.store import StoredAlert


def row_of(item: "StoredAlert") -> list[str]:
    """The cells of one line of the list."""
    alert = item.alert
    return [
        alert.id,
        f"{item.started_at.astimezone():%Y-%m-%d %H:%M:%S}",
        alert.source,
        "ended" if alert.phase == "end" else "open",
        "-" if item.picture else say_span(alert.end_s - alert.start_s),
        say_p(alert.peak_p_value),
        alert.reason or "-",
        item.label or "-",
        "yes" if item.acknowledged_at else "no",
    ]


def say_p(p_value: float | None) -> str:
    """Two digits: 0.012, 1.3e-05."""
    return "-" if p_value is None else f"{p_value:.2g}"


def print_alert(item: "StoredAlert") -> None:
    """All that is known, a line each."""
    alert = item.alert
    over_time = {
        "in source": f"{say_clock(alert.start_s)} to {say_clock(alert.end_s)},"
        f" peak at {say_clock(alert.peak_s)}",
        "length": say_span(alert.end_s - alert.start_s),
        "state": f"{alert.phase}{f', ended by {alert.ended_by}' if alert.ended_by else ''}",
    }
    facts = {
        "id": alert.id,
        "source": alert.source,
        "started": f"{item.started_at.astimezone():%Y-%m-%d %H:%M:%S %z}",
        **({"picture": item.picture} if item.picture else over_time),
        "peak": f"score {alert.peak_score:.4g}, p {say_p(alert.peak_p_value)}",
        "strength": "" if item.strength is None else f"{item.strength:.2f} times the threshold",
        "part": alert.reason,
        "region": item.region,
        "continues": alert.continues,
        "model": item.model,
        "snapshot": item.snapshot,
        "clip": item.clip,
        "seen": f"{item.acknowledged_at.astimezone():%Y-%m-%d %H:%M}"
        if item.acknowledged_at
        else "no",
        "pinned": "yes" if item.pinned else "",
        "label": item.label or "",
        "note": item.note,
    }
    for name, value in facts.items():
        if value:
            print(f"{name:<10}  {value}")
