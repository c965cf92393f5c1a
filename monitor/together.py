"""What several processes that learn one detector make sure of first (see `models.ranks`)."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from models import ranks
from models.detector import Detector
from monitor.errors import UsageError
from monitor.model import versions


@contextmanager
def learning_together(detector: Detector, names: Sequence[str]) -> Iterator[None]:
    """Within, the processes learn the detector from what is so named; afterwards each is alone.

    Raises:
        UsageError: The detector is none that several learn sooner.
        TrainingError: The processes differ in versions, footage or model.
    """
    if ranks.count() > 1 and not detector.shared:
        raise UsageError(
            f"{detector.name} is not learned by gradients, several processes would each do all of "
            "it: expected a detector with a network, or the command without torchrun"
        )
    named = (name.encode(errors="surrogateescape") for name in names)  # any bytes of a file's
    ranks.check_alike(
        {f"{name} version": text for name, text in versions().items()}
        | {"data to learn from": _digest(*named)}
        | {"a model to begin with": _of_values(detector)}
    )
    with ranks.stopping_together():
        yield
    ranks.leave()


def _of_values(detector: Detector) -> str:
    if ranks.count() == 1:
        return ""
    values = (value.cpu().contiguous() for value in detector.state_dict().values())
    return _digest(*(value.view(-1).numpy().tobytes() for value in values))


def _digest(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return f"{len(parts)} parts, {found.hexdigest()[:8]}"
