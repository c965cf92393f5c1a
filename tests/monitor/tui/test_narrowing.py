"""A replay finds the alerts that the engine's store would, and in its order."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from monitor.api.schema import AlertWanted, Sort
from monitor.api.stored import alert_view, store_query
from monitor.records import Alert
from monitor.store import Facts, Store
from monitor.tui.replay import Replay, in_order, matches
from monitor.tui.state.desk import PHASES, Filters
from monitor.tui.state.recording import Recording, Track
from monitor.tui.state.site import Site

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def raise_one(
    store: Store, alert_id: str, source: str, begin: float, strength: float | None, **named: str
) -> None:
    phase: Literal["update", "end"] = "update" if "goes_on" in named else "end"
    reason, region = named.get("reason", "motion"), named.get("region", "")
    alert = Alert(alert_id, source, phase, 1, begin, begin + 20, begin + 5, 9.0, 0.001, reason)
    store.record(alert, origin=NOON, facts=Facts(strength=strength, region=region))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Four alerts, of which three were judged in different ways."""
    with Store(tmp_path / "events.db") as opened:
        raise_one(opened, "01HA", "door", 0, 2.5, region="top left")
        raise_one(opened, "01HB", "yard", 60, None, reason="speed, 100% of it")
        raise_one(opened, "01HC", "door", 60, 4.0)
        raise_one(opened, "01HD", "back_door", 120, 2.5, goes_on="yes")
        opened.acknowledge("01HA")
        opened.label("01HA", "true", "Delivery van")
        opened.label("01HB", "unsure", "who knows")
        opened.pin("01HC")
        yield opened


WANTED = [
    {},
    {"camera": "door"},
    {"camera": "nowhere"},
    {"tag": "street"},
    {"open": True},
    {"open": False},
    {"acknowledged": True},
    {"acknowledged": False},
    {"label": "true"},
    {"label": "normal_here"},
    {"label": "unsure", "camera": "yard"},
    {"labelled": True},
    {"labelled": False},
    {"pinned": True},
    {"pinned": False},
    {"since": at(80)},
    {"since": at(80.001)},
    {"until": at(60)},
    {"until": at(60.001)},
    {"since": at(30), "until": at(100)},
    {"text": "van"},
    {"text": "VAN delivery"},
    {"text": "van yard"},
    {"text": "top door"},
    {"text": "speed"},
    {"text": "01hc"},
    {"text": "100%"},
    {"text": "k_d"},
    {"text": "r_d"},
    {"text": "doormotion"},
    {"text": "  "},
    {"text": "delivery", "label": "true", "acknowledged": True},
]


@pytest.mark.parametrize("asked", WANTED, ids=repr)
def test_a_replay_and_the_store_find_the_same(store: Store, asked: dict[str, object]) -> None:
    wanted = AlertWanted.model_validate(asked)
    kept = [alert_view(one) for one in store.find(limit=None)]
    assert len(kept) == 4
    found = store.find(store_query(wanted, []), limit=None)
    assert [one.id for one in kept if matches(one, wanted)] == [one.alert.id for one in found]


@pytest.mark.parametrize("sort", ["newest", "oldest", "strongest"])
def test_a_replay_and_the_store_sort_alike(store: Store, sort: Sort) -> None:
    stored = [alert_view(one) for one in store.find(limit=None)]
    found = store.find(store_query(AlertWanted(sort=sort), []), limit=None)
    assert [one.id for one in in_order(stored, sort)] == [one.alert.id for one in found]


def test_the_filters_of_the_dashboard_find_what_its_table_shows(store: Store) -> None:
    alerts = [alert_view(one) for one in store.find(limit=None)]
    track = Track("door", np.empty(0), np.empty(0, np.float32), alerts)
    replay = Replay(Recording("events.db", NOON, 200.0, [track]))
    replay.seek(200.0)
    site = Site("replay", lambda: 0.0, lambda: at(200))
    found = {}
    for phase in PHASES:
        page = asyncio.run(replay.alerts(Filters(phase=phase).wanted(site, limit=10, offset=0)))
        found[phase] = [one.id for one in page.alerts]
    assert found == {
        "all": ["01HD", "01HC", "01HB", "01HA"],
        "open": ["01HD"],
        "new": ["01HD", "01HC", "01HB"],
        "seen": ["01HA"],
        "true": ["01HA"],
        "normal_here": [],
        "unsure": ["01HB"],
    }
