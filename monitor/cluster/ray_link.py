"""Reaching a Ray cluster, and its failures in one line each."""

import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType

from monitor.errors import ClusterError, UsageError
from monitor.missing import to_have

NAMESPACE = "oddwatch"
KNOCK_S = 5.0


def load_ray() -> ModuleType:
    """The package.

    Raises:
        UsageError: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers who runs it
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import ray
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a cluster needs {error.name}, not installed here: {to_have('ray')}"
        ) from error
    return sys.modules[ray.__name__]


@contextmanager
def connected(address: str) -> Iterator[ModuleType]:
    """Ray, connected; `local` is a cluster of this machine alone, for as long as this lasts.

    Args:
        address: host:port, ray://host:port, `auto` for one that runs here, or `local`.

    Raises:
        UsageError: Ray is not installed.
        ClusterError: There is no cluster, or one of other versions.
    """
    ray = load_ray()
    connect(ray, address)
    try:
        yield ray
    finally:
        ray.shutdown()


def connect(ray: ModuleType, address: str) -> None:
    """As `connected`, for good."""
    _knock(address)
    said = StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            ray.init(
                address=address,  # `local` is Ray's own word; without it one that runs is taken
                namespace=NAMESPACE,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
                include_dashboard=False if address == "local" else None,
            )
    except (ConnectionError, TimeoutError, ValueError) as error:
        raise ClusterError(_nothing_there(address, error)) from error
    except Exception as error:
        text = " ".join(str(error).split())
        if "ersion mismatch" in text:
            raise ClusterError(
                f"the cluster at {address} runs other versions: {text[:300]}; "
                "install the same Ray and Python on all machines"
            ) from error
        raise ClusterError(_nothing_there(address, error)) from error


def _knock(address: str) -> None:
    """Ray itself tries for minutes where nobody listens."""
    place = address
    if address == "local":
        return
    if address == "auto":
        current = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"  # noqa: S108
        known = current.read_text().strip() if current.is_file() else ""
        place = os.environ.get("RAY_ADDRESS") or known
        if not place or place in ("auto", "local"):
            return  # Ray looks for one that runs here, and is quick to say that there is none
    host, _, port = place.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ClusterError(f"{place}: expected the cluster's HOST:PORT, such as 192.0.2.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(_nothing_there(place, error)) from error


def _nothing_there(address: str, error: Exception) -> str:
    first = " ".join(str(error).split())[:200]
    where = "on this machine" if address == "auto" else f"at {address}"
    return (
        f"there is no Ray cluster {where}: start one with `ray start --head`, give its address, "
        f"or take `local` ({type(error).__name__}: {first})"
    )
