"""What an unclean stop may leave behind, found when the store is opened."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.errors import StoreError
from monitor.records import Alert
from monitor.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Alert("01HAAA", "door", "new", 1, 10.0, 11.0, 10.5, 0.9, 0.001, "motion")
END = replace(NEW, phase="end", revision=3, end_s=20.0)


def test_damage_after_an_unclean_stop_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with Store(path) as store:
        for i in range(300):
            store.record(replace(END, id=f"01H{i:04}", reason="x" * 200), origin=NOON)
    content = bytearray(path.read_bytes())
    content[-8192:] = b"\x55" * 8192
    path.write_bytes(content)
    Path(f"{path}-wal").write_bytes(b"\0")  # a stop in order leaves an empty one, or none
    with pytest.raises(StoreError, match="is damaged"):
        Store(path)
