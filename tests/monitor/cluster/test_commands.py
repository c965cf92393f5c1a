"""What the commands say, without a cluster."""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from monitor.cli.far import with_address
from monitor.cluster import fleet
from monitor.cluster.actors import AGENT
from monitor.cluster.fleet import Fleet
from monitor.cluster.ray_link import connect, load_ray
from monitor.errors import ClusterError, UsageError


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("score m d --cluster -o out", "score m d --cluster=auto -o out"),
        ("score m d -o out --cluster", "score m d -o out --cluster=auto"),
        ("score --cluster m.pt d", "score --cluster=auto m.pt d"),
        ("score m d --cluster local", "score m d --cluster local"),
        ("score m d --cluster head:6379", "score m d --cluster head:6379"),
        ("score m d --cluster ray://head:10001", "score m d --cluster ray://head:10001"),
    ],
)
def test_an_address_may_follow_or_not(words: str, read: str) -> None:
    assert " ".join(with_address(words.split())) == read


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"needs ray, not .*: pip install 'oddwatch\[cluster\]'"):
        load_ray()


def refusing(error: Exception) -> SimpleNamespace:
    def init(**_: object) -> None:
        raise error

    return SimpleNamespace(init=init)


def test_no_cluster_and_another_version_are_one_line_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    nothing = refusing(ConnectionError("Could not find any running Ray instance.\nPlease"))
    with pytest.raises(ClusterError, match="there is no Ray cluster on this machine: start one"):
        connect(nothing, "auto")  # type: ignore[arg-type]
    other = refusing(RuntimeError("Version mismatch: The cluster was started with:\n Ray: 2.1"))
    with (
        socket.create_server(("127.0.0.1", 0)) as there,
        pytest.raises(ClusterError, match=r"127\.0\.0\.1:.* runs other versions: Version") as got,
    ):
        connect(other, f"127.0.0.1:{there.getsockname()[1]}")  # type: ignore[arg-type]
    assert "\n" not in str(got.value)


def test_nobody_at_the_address_is_said_before_ray_tries_for_minutes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        place = f"127.0.0.1:{gone.getsockname()[1]}"
    never = SimpleNamespace()  # has no init
    line = f"there is no Ray cluster at {place}: start one with .*ConnectionRefusedError"
    for address in (place, f"ray://{place}"):
        with pytest.raises(ClusterError, match=r"there is no Ray cluster at .*Refused"):
            connect(never, address)  # type: ignore[arg-type]
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(place)  # of one that was killed
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ClusterError, match=line):
        connect(never, "auto")  # type: ignore[arg-type]
    with pytest.raises(ClusterError, match="head: expected the cluster's HOST:PORT"):
        connect(never, "head")  # type: ignore[arg-type]


def test_local_never_joins_a_cluster_that_runs_or_ran_here() -> None:
    asked: dict[str, object] = {}
    connect(SimpleNamespace(init=lambda **words: asked.update(words)), "local")  # type: ignore[arg-type]
    assert asked["address"] == "local"


def test_a_cluster_without_oddwatch_says_how_to_start_it() -> None:
    def get_actor(_name: str, *, namespace: str) -> None:
        raise ValueError(f"no such actor in {namespace}")

    with pytest.raises(ClusterError, match="start it with: oddwatch cluster up CONFIG"):
        Fleet(SimpleNamespace(get_actor=get_actor)).status()  # type: ignore[arg-type]


class Actor:
    """Answers every question with a value."""

    def __init__(self, **answers: object) -> None:
        for name, answer in answers.items():
            setattr(self, name, SimpleNamespace(remote=lambda *_, answer=answer: answer))


class Fleetlike:
    """Ray with a coordinator and agents, or without."""

    exceptions = SimpleNamespace(RayError=RuntimeError)

    def __init__(self, found: Actor | None, begun: Actor | None = None, **agents: Actor) -> None:
        self._found, self._begun, self._agents = found, begun, agents
        self.killed: list[object] = []
        self.util = SimpleNamespace(list_named_actors=lambda: ["somebody else's", *agents])

    def get_actor(self, name: str, *, namespace: str) -> Actor:
        found = self._agents.get(name, self._found)
        if found is None:
            raise ValueError(f"no such actor in {namespace}")
        return found

    def remote(self, _: object) -> SimpleNamespace:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._begin))

    def _begin(self, *_: object) -> Actor:
        if self._begun is None:
            raise ValueError("The name oddwatch-coordinator is already taken")
        return self._begun

    def get(self, answer: object, timeout: float = 0) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(self, asked: list[object], **_: object) -> tuple[list[object], list[object]]:
        done = [answer for answer in asked if answer is not None]
        return done, [answer for answer in asked if answer is None]

    def kill(self, actor: object) -> None:
        self._found = None if actor is self._found else self._found
        self.killed.append(actor)


def test_two_who_start_a_coordinator_at_once_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "put_book", lambda *_: None)
    with pytest.raises(ClusterError, match="somebody else starts a coordinator at this moment"):
        Fleet(Fleetlike(None)).up(None)  # type: ignore[arg-type]


def test_a_coordinator_that_hangs_is_one_line_and_nodes_go_on() -> None:
    hanging = Actor(status=RuntimeError("Get timed out:\nsome object(s) not ready"))
    with pytest.raises(ClusterError, match=r"does not answer \(some object.*nodes go on") as got:
        Fleet(Fleetlike(hanging)).status()  # type: ignore[arg-type]
    assert "\n" not in str(got.value)


def test_a_coordinator_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "put_book", lambda *_: None)
    hanging = Actor(generation=RuntimeError("Get timed out: some object(s) not ready"))
    ray = Fleetlike(hanging, Actor(generation=7))
    assert Fleet(ray).up(None) > 7  # type: ignore[arg-type]


@pytest.mark.parametrize("coordinator", ["well", "hangs", "gone"])
def test_a_fleet_is_taken_down_whatever_its_coordinator_does(coordinator: str) -> None:
    agents = {f"{AGENT}{i}": Actor(stop=True) for i in range(2)}
    hanging = RuntimeError("Get timed out")
    found = Actor(end=hanging if coordinator == "hangs" else None)
    ray = Fleetlike(None if coordinator == "gone" else found, **agents)
    assert Fleet(ray).down() == 2  # type: ignore[arg-type]
    killed = [] if coordinator == "gone" else [found]
    assert ray.killed == [*killed, *agents.values()]


def test_a_node_that_does_not_say_that_it_has_ended_is_told() -> None:
    answers = {"well": True, "hangs": None, "fails": RuntimeError("its machine is gone")}
    agents = {f"{AGENT}{name}": Actor(stop=answer) for name, answer in answers.items()}
    ray = Fleetlike(Actor(end=None), **agents)
    with pytest.raises(ClusterError, match="2 of 3 nodes do not say that their engine has ended"):
        Fleet(ray).down()  # type: ignore[arg-type]
    assert len(ray.killed) == 4


def test_nothing_to_take_down_is_said() -> None:
    with pytest.raises(ClusterError, match="no oddwatch runs on this cluster"):
        Fleet(Fleetlike(None)).down()  # type: ignore[arg-type]


def test_a_node_that_is_not_there_cannot_be_drained() -> None:
    refusing_one = Actor(drain="no node 'n9' was ever heard of; known are: n1")
    with pytest.raises(UsageError, match="no node 'n9' was ever heard of; known are: n1"):
        Fleet(Fleetlike(refusing_one)).drain("n9")  # type: ignore[arg-type]
