"""What `oddwatch cluster api` says of what it cannot do, and its reload."""

import asyncio
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.cluster.board import Board
from monitor.cluster.fleet_view import FleetView
from monitor.cluster.forwarding import Forwarder
from monitor.cluster.serving import reload, serve_fleet
from monitor.cluster.settings import load_fleet
from monitor.cluster.shared import SharedStore
from monitor.errors import MonitorError
from monitor.store import Store

CAMERA = '[[camera]]\nname = "{}"\nurl = "rtsp://h/{}"\nmodel = "door.pt"\n'


def write(folder: Path, fleet: str, watch: str = "", cameras: str = "ab") -> Path:
    (folder / "watch.toml").write_text(watch + "".join(CAMERA.format(c, c) for c in cameras))
    path = folder / "fleet.toml"
    path.write_text(f'config = "watch.toml"\n{fleet}')
    return path


@pytest.mark.parametrize(
    ("fleet", "watch", "line"),
    [
        ("", "", "a fleet's API needs the shared database: give `store`"),
        ('store = "env:NO_SUCH"', "", "store: env:NO_SUCH: the environment variable is not set"),
        (
            'store = "env:STORE"',
            '[api]\nhost = "0.0.0.0"\n',
            "the API may be reached from elsewhere and has no token",
        ),
        (
            'store = "env:STORE"',
            '[api]\nadmins = ["file:no.such"]\n',
            "no.such: No such file or directory",
        ),
        ('store = "mysql://h/x"', "", "mysql"),
        pytest.param(
            'store = "postgresql://me@127.0.0.1:1/x"',
            "",
            "postgresql://me@127.0.0.1:1/x failed",
            marks=pytest.mark.skipif(find_spec("psycopg") is None, reason="needs psycopg"),
        ),
    ],
)
def test_one_line_for_each_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleet: str, watch: str, line: str
) -> None:
    monkeypatch.setenv("STORE", f"sqlite:///{tmp_path / 'shared.db'}")
    with pytest.raises(MonitorError) as got:
        serve_fleet(write(tmp_path, fleet, watch), tmp_path / "api", port=0)
    assert line in str(got.value)
    assert "\n" not in str(got.value)


def test_a_configuration_read_again_and_a_wrong_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = write(tmp_path, "")

    async def check() -> None:
        with SharedStore(f"sqlite:///{tmp_path / 'shared.db'}") as shared:
            view = FleetView(shared, Board(load_fleet(config)[1].camera, datetime.now(UTC)))
            write(tmp_path, "", cameras="bc")
            reload(view, config)
            assert [c.name for c in view.cameras()] == ["b", "c"]
            write(tmp_path, "nonsense")
            reload(view, config)
            assert [c.name for c in view.cameras()] == ["b", "c"]

    asyncio.run(check())
    assert "the last good cameras go on" in caplog.text


def test_a_shared_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with Store(url) as store, store.database.write() as connection:
        connection.execute(sa.text("UPDATE schema_version SET version = 99"))
    with Store(tmp_path / "events.db"):
        forwarder = Forwarder(tmp_path / "events.db", url, "n1")
        assert forwarder.step(0.0) == 0
    assert "has schema 99, this version knows" in forwarder.text
    assert forwarder.text.endswith("update oddwatch")
