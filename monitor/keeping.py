"""What a training that is under way leaves on disk, so that neither Ctrl-C nor a crash loses it."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.steps import Log, Step
from monitor.errors import DeviceError, StoreError

log = logging.getLogger(__name__)

SAVE_EVERY_S = 60.0

Provenance = dict[str, Any]


def unfinished(path: Path) -> Path:
    """Where a training that is under way keeps what it has learned."""
    return path.with_name(f"{path.name}.training")


def note(provenance: Provenance, text: str) -> None:
    """Add a remark to a model's provenance, once."""
    notes = provenance.setdefault("notes", [])
    if text not in notes:
        notes.append(text)


def say_kept(path: Path) -> None:
    """What there is after an end before the threshold was set."""
    log.warning("%s holds what was learned, without a threshold; see: oddwatch calibrate", path)


class Keeper:
    """Passes steps on, notes them in the provenance, and saves once a minute."""

    def __init__(
        self,
        provenance: Provenance,
        path: Path | None,
        save: Callable[[Path], None],  # of the model; raises StoreError
        log_step: Log,
    ) -> None:
        self._provenance = provenance
        self._path = None if path is None else unfinished(path)
        self._save, self._log = save, log_step
        self._saved_s = time.monotonic()

    def __call__(self, step: Step) -> None:
        """A step was made."""
        from models import ranks  # late: what calibrates without torch makes notes too

        self._provenance |= {"steps": step.index, "minutes": step.seconds / 60}
        due = time.monotonic() - self._saved_s >= SAVE_EVERY_S
        if due or ranks.is_asked_to_stop():  # torchrun waits half a minute, then it kills
            self.save()
        self._log(step)

    def save(self) -> None:
        """Keep what there is; a disk that is full now may not be so at the end."""
        if self._path is None:
            return
        try:
            self._save(self._path)
        except StoreError as error:
            log.warning("%s; learning goes on", error)
        self._saved_s = time.monotonic()

    def lost(self, error: DeviceError) -> DeviceError:
        """The error of an accelerator that failed, with what is left of the learning."""
        kept = self._path is not None and self._path.exists()
        after = f"what was learned until a minute before is in {self._path}: --resume goes on"
        return DeviceError(f"{error}; {after if kept else 'nothing was learned yet'}")

    def ended(self, *, interrupted: bool) -> None:
        """Learning has ended; where Ctrl-C ended it before its first step, there is nothing.

        Raises:
            KeyboardInterrupt: In that case; what lies at the path is better.
        """
        self._provenance["interrupted"] = interrupted
        if not interrupted:
            return
        if not self._provenance["steps"]:
            raise KeyboardInterrupt
        log.warning("stopped; now calibrating what was learned (Ctrl-C again aborts)")
