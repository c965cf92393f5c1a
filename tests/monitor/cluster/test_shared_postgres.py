"""The shared database on a real PostgreSQL: nodes that bring an older one up to date at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.cluster.forwarding import Forwarder
from monitor.cluster.shared import SharedStore
from monitor.errors import StoreError
from monitor.store import AlertQuery, Store
from monitor.store_schema import SCHEMA_VERSION
from tests.monitor.test_store_postgres import NEW, NOON, pytestmark, url

__all__ = ["pytestmark", "url"]  # skipped where there is no PostgreSQL


def older(url: str) -> None:
    """As schema 2 left it, with an alert in it."""
    with SharedStore(url) as shared:
        shared.store.record(NEW, origin=NOON)
        with shared.store.database.write() as connection:
            for column in ("strength", "peak_level", "threshold", "model_digest", "region"):
                connection.execute(sa.text(f"ALTER TABLE alerts DROP COLUMN {column}"))
            connection.execute(sa.text("UPDATE schema_version SET version = 2"))
            for table in ("cluster_events", "cluster_nodes", "cluster_words", "health"):
                connection.execute(sa.text(f"DROP TABLE {table}"))


def test_an_older_schema_is_brought_up_to_date_by_many_nodes_at_once(
    url: str,
    tmp_path: Path,
) -> None:
    older(url)

    def forward(number: int) -> Forwarder:
        events = tmp_path / f"{number}.db"
        with Store(events) as own:
            own.record(replace(NEW, id=f"01H{number}"), origin=NOON)
        forwarder = Forwarder(events, url, f"n{number}")
        forwarder.step(0.0)
        assert "\n" not in forwarder.text
        return forwarder

    with ThreadPoolExecutor(8) as pool:
        every = list(pool.map(forward, range(8)))
    for forwarder in every:  # who came in another's way tries again after two seconds
        forwarder.step(2.0)
        assert (forwarder.text, forwarder.unsent) == ("", 0)
    with SharedStore(url) as shared:
        assert shared.store.count(AlertQuery()) == 9
        assert shared.counts() == {f"n{number}": 1 for number in range(8)}
        by_node = AlertQuery(also=shared.raised_by("n3"))
        assert [found.alert.id for found in shared.store.find(by_node)] == ["01H3"]
        shared.tell("status", 5, "five")
        shared.tell("status", 4, "four")
        told = shared.told("status")
        assert told is not None
        assert told[0] == "five"
        with shared.store.database.read() as connection:
            found = connection.scalar(sa.text("SELECT max(version) FROM schema_version"))
    assert found == SCHEMA_VERSION


def test_a_newer_schema_is_refused_in_one_line(url: str) -> None:
    with Store(url) as store, store.database.write() as connection:
        connection.execute(sa.text("UPDATE schema_version SET version = 99"))
    with pytest.raises(StoreError, match="has schema 99") as got:
        SharedStore(url)
    assert "\n" not in str(got.value)
