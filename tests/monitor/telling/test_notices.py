"""Which phase gives which notices."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.config.settings import NoticeSettings
from monitor.records import Alert
from monitor.store_health import HealthEvent
from monitor.store_outbox import Outgoing, Told
from monitor.telling.notices import (
    News,
    Situation,
    headline,
    health_notices,
    named,
    notices_for,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Alert("01HAAA", "door", "new", 1, 10.0, 11.0, 10.5, 0.9, 0.001, "motion")
UPDATE = replace(NEW, phase="update", revision=2)
END = replace(NEW, phase="end", revision=3, end_s=22.0)
HOOK = NoticeSettings(kind="webhook", url="http://x/")
TOLD = {("hook", "door"): Told("01HAAA", NOON)}


def news(alert: Alert, after_s: float = 0.0) -> News:
    return News(alert, NOON, 2.5, NOON + timedelta(seconds=after_s))


def given(alert: Alert, after_s: float = 0.0, **situation: Any) -> list[Outgoing]:
    return notices_for(news(alert, after_s), Situation(**({"targets": {"hook": HOOK}} | situation)))


def test_a_first_alert_is_told_with_moments_and_strength() -> None:
    (notice,) = given(NEW)
    assert (notice.sink, notice.kind, notice.event_id, notice.revision) == (
        "hook",
        "alert",
        "01HAAA",
        1,
    )
    assert notice.payload["started_at"] == "2026-03-01T12:00:10.000+00:00"
    assert (notice.payload["strength"], notice.payload["phase"]) == (2.5, "new")
    assert headline(notice.payload) == "door: anomaly, 2.5 times the threshold"


def test_only_wanted_phases_and_cameras_are_told() -> None:
    assert given(UPDATE, last_told=TOLD) == []
    only = {"hook": HOOK.model_copy(update={"cameras": ["yard"]})}
    assert given(NEW, targets=only) == []
    ends = {"hook": HOOK.model_copy(update={"phases": ["end"]})}
    assert given(NEW, targets=ends) == []
    assert [item.revision for item in given(END, targets=ends)] == [3]


def test_the_end_of_an_alert_that_was_told_is_told_within_the_cool_down() -> None:
    (notice,) = given(END, 22, cooldown_s=60.0, last_told=TOLD)
    assert (notice.kind, notice.revision) == ("alert", 3)
    assert headline(notice.payload).endswith("over after 12 s")


def test_an_alert_within_the_cool_down_is_counted_and_its_end_is_not_told() -> None:
    later = replace(NEW, id="01HBBB")
    (notice,) = given(later, 59, cooldown_s=60.0, last_told=TOLD)
    assert (notice.kind, notice.event_id, notice.payload["alerts"]) == (
        "summary",
        "01HAAA",
        ["01HBBB"],
    )
    assert notice.due_at == NOON + timedelta(seconds=60)
    assert headline({**notice.payload, "alerts": ["B", "C"]}) == "door: 2 more alerts"
    end = replace(later, phase="end", revision=2)
    assert given(end, 200, cooldown_s=60.0, last_told=TOLD) == []


def test_after_the_cool_down_the_next_is_told() -> None:
    (notice,) = given(replace(NEW, id="01HBBB"), 60, cooldown_s=60.0, last_told=TOLD)
    assert notice.kind == "alert"


def test_the_cool_down_of_one_camera_is_not_that_of_another() -> None:
    (notice,) = given(replace(NEW, source="yard"), 1, cooldown_s=60.0, last_told=TOLD)
    assert (notice.kind, notice.camera) == ("alert", "yard")


@pytest.mark.parametrize(("after_s", "count"), [(59, 0), (60, 1)])
def test_a_muted_camera_tells_nothing_until_then(after_s: float, count: int) -> None:
    assert len(given(NEW, after_s, muted_until=NOON + timedelta(seconds=60))) == count


def test_an_alert_of_a_single_picture_is_told_although_it_only_ends() -> None:
    (notice,) = given(replace(END, revision=1), targets={"hook": HOOK})
    assert notice.payload["phase"] == "end"


def test_health_is_told_at_its_beginning_and_its_end() -> None:
    event = HealthEvent("01A", "door", "dark", "warning", "it is dark", NOON)
    targets = {"hook": HOOK, "no": HOOK.model_copy(update={"health": False})}
    (begin,) = health_notices(event, targets, None)
    (end,) = health_notices(replace(event, ended_at=NOON), targets, None)
    assert [begin.revision, end.revision] == [1, 2]
    assert headline(end.payload) == "door: it is dark (over)"
    assert health_notices(event, targets, NOON + timedelta(1)) == []
    own = {"hook": HOOK.model_copy(update={"cameras": ["yard"]})}
    assert health_notices(event, own, None) == []
    assert len(health_notices(replace(event, camera=None), own, None)) == 1


def test_names_are_unique() -> None:
    log = NoticeSettings(kind="log")
    assert list(named([log, log, NoticeSettings(kind="log", name="log-1")])) == [
        "log-1",
        "log-2",
        "log-1-3",
    ]
