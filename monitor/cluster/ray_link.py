"""Reaching a Ray cluster, and its failures in one line each."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from types import ModuleType

from monitor.errors import MonitorError, UsageError

NAMESPACE = "oddwatch"


class ClusterError(MonitorError):
    """The cluster cannot be reached, or refuses."""


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
            f"a cluster needs the package {error.name}: pip install oddwatch[cluster]"
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
    said = StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            ray.init(
                address=None if address == "local" else address,
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


def _nothing_there(address: str, error: Exception) -> str:
    first = " ".join(str(error).split())[:200]
    where = "on this machine" if address == "auto" else f"at {address}"
    return (
        f"there is no Ray cluster {where}: start one with `ray start --head`, give its address, "
        f"or take `local` ({type(error).__name__}: {first})"
    )
