"""What a new configuration changes in a running engine, and reading it again without risk."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from monitor.config.loading import load_settings
from monitor.config.problems import ConfigError
from monitor.config.redacting import Registry
from monitor.config.secrets import resolve
from monitor.config.settings import CameraSettings, Settings

log = logging.getLogger(__name__)

# What a change of a camera's key needs. The model is among the first because the rate of capture
# comes from it; so does `pre_s`, which is as long as the ring of packets.
CAPTURE_KEYS = frozenset(
    {"url", "user", "password", "analysis_url", "enabled", "transport", "backend", "hardware"}
    | {
        "loop",
        "pace",
        "width",
        "fps",
        "model",
        "learn",
        "detector",
        "train_minutes",
        "privacy",
        "pre_s",
    }
)
SCORING_KEYS = frozenset(
    {"score_fps", "false_alarms_per_day", "gate", "floor_s", "include", "exclude", "schedule"}
    | {"first_frame_s", "stall_s", "post_s", "longest_clip_s", "priority"}
)
NOTICE_KEYS = frozenset({"cooldown_s", "tags"})

Need = Literal["capture", "scoring", "notices"]


@dataclass(frozen=True, slots=True)
class CameraChange:
    """One camera that is not as it was."""

    camera: CameraSettings  # as it shall be
    keys: tuple[str, ...]

    @property
    def needs(self) -> Need:
        """The most that a key needs: a new capture process, new rules of scoring, or neither."""
        changed = set(self.keys)
        if changed & CAPTURE_KEYS:
            return "capture"
        return "scoring" if changed & SCORING_KEYS else "notices"


@dataclass(frozen=True, slots=True)
class Changes:
    """From the settings that run to others. False in a condition where there are none."""

    added: tuple[CameraSettings, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[CameraChange, ...] = ()
    reordered: bool = False  # the same cameras in another order
    notices: bool = False  # where alerts are told
    retention: bool = False
    restart: tuple[str, ...] = ()  # keys such as engine.device, for which the engine must restart

    def __bool__(self) -> bool:
        return self != Changes()

    def text(self) -> str:
        """One line for the log: names only."""
        words = [
            _named("added", [camera.name for camera in self.added]),
            _named("removed", self.removed),
            *(
                f"{change.camera.name}: {', '.join(change.keys)} ({change.needs})"
                for change in self.changed
            ),
            "order of cameras" if self.reordered else "",
            "notices" if self.notices else "",
            "retention" if self.retention else "",
            _named("not before a restart of the engine:", self.restart),
        ]
        return "; ".join(word for word in words if word) or "nothing changed"


def changes_of(old: Settings, new: Settings) -> Changes:
    """What differs, both resolved: a new password is a change too."""
    before = {camera.name: camera for camera in old.camera}
    after = {camera.name: camera for camera in new.camera}
    both = [name for name in after if name in before]
    changed = (CameraChange(after[name], _differing(before[name], after[name])) for name in both)
    engine = (f"engine.{key}" for key in _differing(old.engine, new.engine))
    api = (f"api.{key}" for key in _differing(old.api, new.api))
    return Changes(
        added=tuple(camera for name, camera in after.items() if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(change for change in changed if change.keys),
        reordered=both != [name for name in before if name in after],
        notices=old.notice != new.notice,
        retention=old.retention != new.retention,
        restart=(*engine, *api),
    )


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of reading the file again."""

    settings: Settings  # that shall run now; the old ones where `problems` says why
    changes: Changes
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Reloader:
    """Reads the file when asked; what is wrong or missing leaves the last good settings running.

    Args:
        path: The file.
        registry: Learns the secrets in it.
        environment: To resolve references by; None: this process's.
        load: Reads the file, and may refuse more than is wrong by itself, as `load_cameras` does.

    Raises:
        ConfigError: From the constructor only: a start needs good settings.
    """

    def __init__(
        self,
        path: Path,
        registry: Registry,
        environment: Mapping[str, str] | None = None,
        *,
        load: Callable[[Path], Settings] = load_settings,
    ) -> None:
        self._path = path
        self._load = load
        self._registry = registry
        self._environment = environment
        self.settings, self.warnings = self._read()

    def reload(self) -> Reload:
        """Read, check, compare. Sections engine and api stay as they were at the start."""
        try:
            new, warnings = self._read()
        except ConfigError as error:
            for line in error.lines:
                log.error("%s", line)
            log.error("%s: not applied; the last good settings go on", self._path)
            return Reload(self.settings, Changes(), problems=tuple(error.lines))
        changes = changes_of(self.settings, new)
        log.info("%s: %s", self._path, changes.text())
        for line in (*warnings, *(f"{key} needs a restart" for key in changes.restart)):
            log.warning("%s", line)
        kept = {"engine": self.settings.engine, "api": self.settings.api}
        self.settings = new.model_copy(update=kept)
        return Reload(self.settings, changes, warnings=tuple(warnings))

    def _read(self) -> tuple[Settings, list[str]]:
        return resolve(self._load(self._path), self._registry, self._environment)


def _differing(old: BaseModel, new: BaseModel) -> tuple[str, ...]:
    return tuple(key for key in type(old).model_fields if getattr(old, key) != getattr(new, key))


def _named(word: str, names: tuple[str, ...] | list[str]) -> str:
    return f"{word} {', '.join(names)}" if names else ""
