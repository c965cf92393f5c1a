"""What the commands say, without a cluster."""

import sys
from types import SimpleNamespace

import pytest

from monitor.cli.far import with_address
from monitor.cluster.fleet import Fleet
from monitor.cluster.ray_link import ClusterError, connect, load_ray
from monitor.errors import UsageError


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
    with pytest.raises(UsageError, match=r"needs the package ray: pip install oddwatch\[cluster\]"):
        load_ray()


def refusing(error: Exception) -> SimpleNamespace:
    def init(**_: object) -> None:
        raise error

    return SimpleNamespace(init=init)


def test_no_cluster_and_another_version_are_one_line_each() -> None:
    nothing = refusing(ConnectionError("Could not find any running Ray instance.\nPlease"))
    with pytest.raises(ClusterError, match="there is no Ray cluster on this machine: start one"):
        connect(nothing, "auto")  # type: ignore[arg-type]
    other = refusing(RuntimeError("Version mismatch: The cluster was started with:\n Ray: 2.1"))
    with pytest.raises(
        ClusterError, match="the cluster at h:1 runs other versions: Version"
    ) as got:
        connect(other, "h:1")  # type: ignore[arg-type]
    assert "\n" not in str(got.value)


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


def ray_with(found: object, begun: object = None) -> SimpleNamespace:
    def get_actor(_name: str, *, namespace: str) -> object:
        if found is None:
            raise ValueError(f"no such actor in {namespace}")
        return found

    def begin(*_: object) -> object:
        if begun is None:
            raise ValueError("The name oddwatch-coordinator is already taken")
        return begun

    def get(answer: object, timeout: float) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    kind = SimpleNamespace(remote=begin)
    return SimpleNamespace(
        get_actor=get_actor, get=get, exceptions=SimpleNamespace(RayError=RuntimeError),
        remote=lambda _: SimpleNamespace(options=lambda **_: kind),
    )  # fmt: skip


def test_two_who_start_a_coordinator_at_once_are_told() -> None:
    with pytest.raises(ClusterError, match="somebody else starts a coordinator at this moment"):
        Fleet(ray_with(None)).up(None)  # type: ignore[arg-type]


def test_a_coordinator_that_hangs_is_one_line_and_nodes_go_on() -> None:
    hanging = Actor(status=RuntimeError("Get timed out:\nsome object(s) not ready"))
    with pytest.raises(ClusterError, match=r"does not answer \(some object.*nodes go on") as got:
        Fleet(ray_with(hanging)).status()  # type: ignore[arg-type]
    assert "\n" not in str(got.value)


def test_a_node_that_is_not_there_cannot_be_drained() -> None:
    refusing_one = Actor(drain="no node 'n9' was ever heard of; known are: n1")
    with pytest.raises(UsageError, match="no node 'n9' was ever heard of; known are: n1"):
        Fleet(ray_with(refusing_one)).drain("n9")  # type: ignore[arg-type]
