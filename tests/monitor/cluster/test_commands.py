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
