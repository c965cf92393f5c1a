"""`--cluster`: where a command has its work done, and how the option is read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.datasets import DataSet
    from monitor.model import Model
    from monitor.scored import Look
    from monitor.stills.comparing import Done, Plan, Terms, Tools
    from monitor.stills.still import StillSet

    CompareRuns = Callable[[Sequence[Plan], StillSet, Terms, Path, Tools], Iterator[Done]]

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
        from monitor.cluster.spread import Spread
        from monitor.cluster.workers import How

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


@contextmanager
def local() -> Iterator["CompareRuns"]:
    """Runs of a comparison, made here."""
    from monitor.stills.comparing import compare

    yield compare


@dataclass(frozen=True)
class FarRuns:
    """The workers of a cluster, for runs of a comparison."""

    address: str
    workers: int
    device: str
    how: "tuple[str, str | None, str | None, str | None]"  # the set is opened, as there

    @contextmanager
    def making(self, data: "StillSet") -> Iterator["CompareRuns"]:
        """What makes runs in place of `monitor.stills.comparing.compare`; raises as `Far`."""
        from monitor.cluster.ray_link import connected
        from monitor.cluster.runs import Opening, Runs, digest_of_set
        from monitor.cluster.workers import How

        path, layout, protocol, normal = self.how
        place = str(Path(path).absolute()) if Path(path).exists() else path
        opening = Opening(place, layout, protocol, normal, digest_of_set(data))
        how = How(self.device, workers=self.workers)
        with connected(self.address) as ray:

            def compare(
                plans: "Sequence[Plan]",
                _data: "StillSet",
                terms: "Terms",
                out: Path,
                tools: "Tools",
            ) -> "Iterator[Done]":
                return Runs(ray, opening, terms, out, tools, how)(plans)

            yield compare


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
