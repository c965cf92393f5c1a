"""Which planted events were found, and which alerts were about nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.demo.planting import PlantedEvent
from monitor.records import Alert

TOLERANCE_S = 1.5  # after an event: a detector looks back, and its scores are smoothed


@dataclass(frozen=True, slots=True)
class Found:
    """A planted event, and the first alert that touches it."""

    event: PlantedEvent
    alert: Alert
    delay_s: float  # from the event's beginning to the alert's; 0 if that was open before


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a watch did on the planted events."""

    found: tuple[Found, ...]
    missed: tuple[PlantedEvent, ...]
    false_alerts: tuple[Alert, ...]  # touch no event; one on a planted normal car is among them


def judge(events: Sequence[PlantedEvent], alerts: Sequence[Alert]) -> Verdict:
    """Hold alerts (one phase of each: the last) against the truth.

    An alert touches an event if it overlaps the time from its start to TOLERANCE_S after its end.
    """
    real = [event for event in events if event.anomalous]
    in_order = sorted(alerts, key=lambda alert: alert.start_s)
    first = {event.start_s: _first(event, in_order) for event in real}
    found = [(event, alert) for event in real if (alert := first[event.start_s]) is not None]
    return Verdict(
        tuple(Found(e, alert, max(0.0, alert.start_s - e.start_s)) for e, alert in found),
        tuple(event for event in real if first[event.start_s] is None),
        tuple(alert for alert in in_order if not any(touches(event, alert) for event in real)),
    )


def _first(event: PlantedEvent, alerts: Sequence[Alert]) -> Alert | None:
    return next((alert for alert in alerts if touches(event, alert)), None)


def touches(event: PlantedEvent, alert: Alert) -> bool:
    """Whether the alert lies in the event, or begins little after it."""
    return alert.start_s <= event.end_s + TOLERANCE_S and alert.end_s >= event.start_s
