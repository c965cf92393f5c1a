"""`--cluster`: where a command has its work done, and how the option is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.datasets import DataSet
    from monitor.model import Model
    from monitor.scored import Look

OPTION = "--cluster"
PIECES = ".pieces"  # in the folder of results, while they are incomplete


@dataclass(frozen=True)
class Far:
    """The workers of a cluster."""

    address: str
    workers: int
    path: Path  # of the model
    device: str
    runtime: str

    @contextmanager
    def looking(self, model: "Model", data: "DataSet", out: Path) -> Iterator["Look"]:
        """What reads videos in place of `monitor.scored.look`.

        Raises:
            UsageError: Ray is not installed.
            ClusterError: The cluster cannot be reached.
        """
        from monitor.cluster.ray_link import connected
        from monitor.cluster.spread import How, Spread

        how = How(self.device, self.runtime, self.workers)
        with connected(self.address) as ray:
            videos = data.test or data.train
            spread = Spread(ray, self.path, model, videos, how=how, kept=out / PIECES)
            done = False
            try:
                yield spread
                done = True
            finally:
                spread.close(done=done)


def with_address(words: list[str]) -> list[str]:
    """`--cluster` by itself means the cluster that runs here: `--cluster=auto`."""
    found = []
    for place, word in enumerate(words):
        after = words[place + 1] if place + 1 < len(words) else ""
        given = after in ("auto", "local") or "://" in after or _is_address(after)
        found.append("--cluster=auto" if word == OPTION and not given else word)
    return found


def _is_address(word: str) -> bool:
    host, _, port = word.rpartition(":")
    return bool(host) and port.isdigit() and "/" not in host
