"""A node without Ray: the keeper, a stub for the engine, and what outlives what."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.cluster.house import House
from monitor.cluster.settings import Book, ClusterSettings, load_book, node_toml
from monitor.config.loading import load_settings
from monitor.config.problems import ConfigError
from monitor.config.settings import CameraSettings, NoticeSettings, Settings

STUB = (sys.executable, str(Path(__file__).with_name("stub_engine.py")))
CAMERAS = [
    CameraSettings(
        name=name, url=f"rtsp://10.0.0.1/{name}", model="door.pt", user="me", password="env:PW",
        include=[[(0.0, 0.0), (1.0, 0.0), (0.5, 0.5)]], tags=["site:a"],
    )
    for name in ("door", 'the "yard"\\ümlaut')
]  # fmt: skip
BOOK = Book(
    "d1",
    Settings(camera=CAMERAS, notice=[NoticeSettings(kind="log", phases=["new"])]),
    ClusterSettings(config=Path("watch.toml")),
    {"door.pt": b"a model"},
    STUB,
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path / "n1", "n1")
    yield found
    found.stop()


def wait(until: Callable[[], object]) -> None:
    end_s = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def watched(house: House) -> list[str]:
    try:
        found: list[str] = json.loads((house.folder / "out" / "watching.json").read_text())
    except (OSError, ValueError):
        return []
    return found


def state(house: House) -> str:
    found = house.state()
    return "" if found is None else found.engine


def test_a_node_is_started_changed_and_stopped(house: House) -> None:
    house.apply(BOOK, ["door"], 7)
    wait(lambda: state(house) == "running")
    first = house.state()
    assert watched(house) == ["door"]
    assert (house.cameras, house.digest, house.generation) == (frozenset({"door"}), "d1", 7)
    house.apply(BOOK, [camera.name for camera in CAMERAS], 7)
    wait(lambda: len(watched(house)) == 2)
    wait(lambda: (s := house.state()) and set(s.watched) == {camera.name for camera in CAMERAS})
    second = house.state()
    assert first is not None
    assert second is not None
    assert second.engine_pid == first.engine_pid  # told by SIGHUP, not started again
    house.apply(BOOK, [], 7)
    wait(lambda: state(house) == "none")
    house.stop()
    assert house.keeper_pid() == 0


def test_a_node_without_cameras_hands_out_what_it_has(house: House) -> None:
    house.apply(BOOK, ["door"], 1)
    wait(lambda: state(house) == "running")
    (house.folder / "out" / "events.db").touch()
    house.apply(BOOK, [], 1, draining=True)
    wait(lambda: watched(house) == [])
    assert house.draining
    found = house.state()
    assert found is not None
    assert (found.engine, house.cameras) == ("running", frozenset())
    house.stop()
    assert house.keeper_pid() == 0


def test_an_engine_that_dies_is_started_again_and_one_outlives_its_keeper(house: House) -> None:
    house.apply(BOOK, ["door"], 1)
    wait(lambda: state(house) == "running")
    first = house.state()
    assert first is not None
    os.kill(first.engine_pid, signal.SIGKILL)
    wait(lambda: (s := house.state()) and s.starts == 2 and s.engine == "running")
    second = house.state()
    assert second is not None
    os.kill(house.keeper_pid(), signal.SIGKILL)
    wait(lambda: not house.keeper_pid())
    os.kill(second.engine_pid, 0)  # it goes on
    house.apply(BOOK, ["door"], 1)
    wait(lambda: (s := house.state()) and s.pid != second.pid and s.engine == "running")
    third = house.state()
    assert third is not None
    assert third.engine_pid == second.engine_pid
    assert third.starts == 0


def test_another_command_and_store_hold_without_another_keeper(house: House) -> None:
    house.apply(BOOK, ["door"], 1)
    wait(lambda: state(house) == "running")
    first = house.state()
    assert first is not None
    slower = (STUB[0], "-X", "utf8", *STUB[1:])
    nowhere = BOOK.cluster.model_copy(update={"store": "nothing://shared"})
    house.apply(replace(BOOK, engine=slower, cluster=nowhere), ["door"], 1)
    (house.folder / "out" / "events.db").touch()
    wait(lambda: (s := house.state()) and "forwarded" in s.text)  # it says why not
    (house.folder / "keeper.json").write_text("[]")
    log = house.folder / "keeper.log"
    wait(lambda: "keeper.json is not obeyed: TypeError" in log.read_text())
    os.kill(first.engine_pid, signal.SIGKILL)
    wait(lambda: (s := house.state()) and s.starts == 2 and s.engine == "running")
    second = house.state()
    assert second is not None
    assert second.pid == first.pid
    assert "-X" in psutil.Process(second.engine_pid).cmdline()


def test_the_nodes_file_says_what_the_fleets_says(house: House) -> None:
    house.apply(BOOK, [camera.name for camera in CAMERAS], 1)
    text = (house.folder / "node.toml").read_text()
    assert "env:PW" in text  # a reference, as it was
    found = load_settings(house.folder / "node.toml")
    assert found.engine.folder == house.folder / "out"
    assert [c.name for c in found.camera] == [c.name for c in CAMERAS]
    assert found.camera[0].include == CAMERAS[0].include
    assert Path(found.camera[0].model).read_bytes() == b"a model"
    assert found.notice == BOOK.settings.notice
    assert (house.folder / "node.toml").stat().st_mode & 0o77 == 0


@settings(max_examples=100, deadline=None)
@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1, max_size=20
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
)
@example("gate \U0001f6aa", 'a\x7fb\x1f\x85\u2028\\"')
def test_any_name_or_text_is_read_as_it_was_written(name: str, text: str) -> None:
    camera = CAMERAS[0].model_copy(update={"name": name, "model": "", "tags": [name]})
    notice = NoticeSettings(kind="log", cameras=[name], topic=text)
    book = Book("d", Settings(camera=[camera], notice=[notice]), BOOK.cluster, {}, STUB)
    with TemporaryDirectory() as folder:
        config = Path(folder) / "node.toml"
        config.write_text(node_toml(book, [name], Path(folder)), encoding="utf-8")
        found = load_settings(config)
    assert (found.camera[0].name, found.camera[0].tags) == (name, [name])
    assert (found.notice[0].cameras, found.notice[0].topic) == ([name], text)


def test_two_nodes_of_one_name_are_refused(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('config = "watch.toml"\n' + "[[node]]\nname = 'n'\n" * 2)
    with pytest.raises(ConfigError, match=r"fleet\.toml: two nodes are named 'n': name each once"):
        load_book(fleet)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stor = 'x'", "fleet.toml:2: stor: there is no such key; did you mean store?"),
        ("camera = 'x'", "known are config, folder, store, capacity, lost_s, settle_s, node"),
        ("[[node]]\nnmae = 'n'\nname = 'n'", "nmae: there is no such key; did you mean name?"),
        ("[[node]]\nname = 'n'\nurl = 'n'", "known are name, capacity, tags"),
    ],
)
def test_a_fleets_fault_is_told_by_the_fleets_own_keys(
    tmp_path: Path, text: str, said: str
) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(f'config = "watch.toml"\n{text}\n')
    with pytest.raises(ConfigError) as got:
        load_book(fleet)
    assert said in str(got.value)


def test_a_fleets_file_with_faults(tmp_path: Path) -> None:
    (tmp_path / "watch.toml").write_text('[[camera]]\nname = "a"\nurl = "a.mp4"\nmodel = "no.pt"\n')
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('config = "watch.toml"\nstor = "x"\n')
    with pytest.raises(ConfigError, match="stor"):
        load_book(fleet)
    fleet.write_text('config = "watch.toml"\n')
    with pytest.raises(ConfigError, match=r"camera 'a': model .*no\.pt: No such file"):
        load_book(fleet)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_book(tmp_path / "nothing.toml")
    (tmp_path / "no.pt").write_bytes(b"x")
    fleet.write_text('config = "watch.toml"\n[[node]]\nname = "n"\ntags = ["site:a"]\n')
    book = load_book(fleet)
    assert book.cluster.node[0].tags == ("site:a",)
    assert [d.cost for d in book.demands()] == [2000]
    (tmp_path / "no.pt").write_bytes(b"y")
    assert load_book(fleet).digest != book.digest  # another model is another configuration
