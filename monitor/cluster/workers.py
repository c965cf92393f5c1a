"""Processes of a cluster that each do one piece of work at a time, all with the same program."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from monitor.errors import ClusterError
from monitor.model import versions

RETRIES = 3  # of a piece whose worker died; a fourth time it is the piece


@dataclass(frozen=True, slots=True)
class How:
    """How many workers, and of what kind."""

    device: str = "auto"
    runtime: str = "auto"
    workers: int = 0  # 0: as many as the cluster's processors or GPUs carry
    gpu_share: float = 1.0  # of one GPU, each


@dataclass(frozen=True, slots=True)
class Post:
    """What every worker is told when it starts."""

    device: str  # cpu or cuda
    threads: int  # as many as whoever asks has, so that sums are added alike
    versions: Mapping[str, str]  # of whoever asks

    def problem(self) -> str:
        """Why what is computed here would not be the same; empty: it is. One line."""
        for name, here in versions().items():
            if self.versions.get(name, here) != here:
                return (
                    f"node {platform.node()} has {name} {here}, this machine {self.versions[name]}:"
                    " results would differ; install the same on all nodes"
                )
        return ""


def start(
    ray: ModuleType, worker: type, how: How, *given: object, calls: int = 1, most: int | None = None
) -> list[Any]:
    """Actors of the class `worker`, which takes a `Post` and what is `given`.

    Ray starts one that dies again and gives it its work once more, `RETRIES` times.

    Args:
        ray: Connected.
        worker: Makes an actor.
        how: Of what kind they are.
        given: Large things by reference (`ray.put`).
        calls: To one worker at the same time.
        most: More would have nothing to do.

    Raises:
        ClusterError: A GPU was asked for and there is none.
    """
    import torch

    threads = torch.get_num_threads()
    there: Mapping[str, float] = ray.cluster_resources()
    on_gpu = how.device != "cpu" and there.get("GPU", 0) > 0
    if how.device == "cuda" and not on_gpu:
        raise ClusterError("device cuda was asked for, but no node of the cluster has a GPU")
    fit = there.get("GPU", 0) / how.gpu_share if on_gpu else there.get("CPU", 1) / threads
    count = how.workers or max(1, int(fit))
    share = {"num_gpus": how.gpu_share, "num_cpus": 1} if on_gpu else {"num_cpus": threads}
    if how.workers and count > fit:
        share = {"num_cpus": 0}  # asked for more than there is: they share it
    kind = ray.remote(worker).options(
        max_restarts=-1,
        max_task_retries=RETRIES,
        max_concurrency=calls,
        runtime_env={"env_vars": {"OMP_NUM_THREADS": str(threads)}},
        **share,
    )
    post = Post("cuda" if on_gpu else "cpu", threads, versions())
    return [kind.remote(post, *given) for _ in range(min(count, most or count))]


def unseen(path: Path | str) -> str:
    """That a path is not there, where the worker runs."""
    return (
        f"node {platform.node()} does not see {path}: expected the data at the same place on every "
        "node, such as a shared folder"
    )
