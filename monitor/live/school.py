"""How cameras come to their models: given, found from an earlier run, or learned by themselves."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from monitor.config.settings import CameraSettings
from monitor.config.spans import parse_span
from monitor.errors import MonitorError, UsageError
from monitor.files import digest_of
from monitor.live.clock import Clock
from monitor.live.crew import Crew
from monitor.live.learner import Learner
from monitor.live.station import Station
from monitor.missing import is_there

log = logging.getLogger(__name__)

NO_TORCH = (
    "torch is not installed here, and learning needs it: give `model`, a file of oddwatch export"
)


def learner_of(camera: CameraSettings, folder: Path) -> Learner | None:
    """For a camera that is to learn by itself, where there is what learns."""
    if not camera.learn or not is_there("torch"):
        return None
    return Learner(
        folder,
        camera.name,
        parse_span(camera.learn),
        camera.detector,
        camera.train_minutes,
        camera.false_alarms_per_day,
    )


class School:
    """Asked in the engine's loop; training runs in processes of its own, one per camera."""

    def __init__(self, crew: Crew, clock: Clock) -> None:
        self._crew = crew
        self._clock = clock
        self._training: dict[str, asyncio.Task[None]] = {}

    @property
    def busy(self) -> bool:
        """Whether a camera's model is being trained."""
        return bool(self._training)

    def admit(self, name: str) -> None:
        """Have a camera judged by the model there is for it; else it learns, or says why not."""
        station = self._crew.stations[name]
        path = station.settings.model
        if station.learner is not None:
            station.learner.take_up()
            path = path or (str(station.learner.model) if station.learner.model.exists() else "")
        if path:
            self._crew.judge_by(name, path, self._clock.now_s())
        elif station.learner is None:
            without = "no model: give `model`, or `learn` to let it learn its own"
            station.judged.refused = NO_TORCH if station.settings.learn else without

    async def refresh(self) -> None:
        """Read anew what model files are not as they were, or could not be read."""
        known = {s.model.path: s.model.digest for s in self._crew.stations.values() if s.model}
        changed = await asyncio.to_thread(_changed, known)
        for path in changed:
            self._crew.forget_model(path)
        for name, station in list(self._crew.stations.items()):
            if station.model is not None and station.model.path in changed:
                log.info("%s: its model file has changed and is read anew", name)
                self._crew.judge_by(name, station.model.path, self._clock.now_s())
            elif station.judged.refused or station.judged.unread:
                self.admit(name)

    def look_round(self) -> None:
        """Train where enough footage is collected; one camera at a time, it is slow enough."""
        for station in self._crew.stations.values():
            learner = station.learner
            if learner is None or not station.wants_model:
                continue
            if learner.tries_again(self._clock.now_s()):
                station.judged.refused = ""
            if learner.enough and not self._training and not station.judged.fault:
                self._training[station.name] = asyncio.create_task(self._train(station))

    def relearn(self, name: str) -> str:
        """Forget what a camera learned and begin anew; its old model judges until then.

        Raises:
            UsageError: The camera does not learn by itself, or nothing can be learned here.
        """
        station = self._crew.stations[name]
        if station.learner is None and station.settings.learn:
            raise UsageError(f"{name}: {NO_TORCH}")
        station.eyes.relearn()
        if station.learner is None:
            raise UsageError(
                f"{name} has a model that was given to it, {station.settings.model}: train that "
                "anew, or set `learn`; what its picture usually looks like is learned anew"
            )
        station.learner.forget()
        station.judged.refused = ""
        until = "" if station.model is None else "; its old model judges until then"
        return f"{name} learns anew from {station.settings.learn} of footage{until}"

    async def close(self) -> None:
        """Break off what is being trained; what was collected stays."""
        for task in self._training.values():
            task.cancel()
        await asyncio.gather(*self._training.values(), return_exceptions=True)

    async def _train(self, station: Station) -> None:
        learner = station.learner
        assert learner is not None  # it has collected
        log.info("%s: training on %.0f s of footage", station.name, learner.collected_s)
        try:
            why = await learner.train(self._clock.now_s())
        except (MonitorError, OSError) as error:
            why = str(error)
        finally:
            self._training.pop(station.name, None)
        if why is None:
            log.info("%s: training broken off, it learns anew", station.name)
            return
        if why:
            wait_s = learner.put_off(self._clock.now_s())
            station.judged.refused = (
                f"learning failed: {why}; the footage is kept, and learned from again in "
                f"{wait_s / 60:.0f} min"
            )
            log.error("%s: %s", station.name, station.judged.refused)
            return
        log.info("%s: learned; it goes live", station.name)
        self._crew.forget_model(str(learner.model))
        self._crew.judge_by(station.name, str(learner.model), self._clock.now_s())


def _changed(known: dict[str, str]) -> set[str]:
    """Of model files and their digests: those that are others now. One that is gone is no other."""
    changed = set()
    for path, digest in known.items():
        with suppress(OSError):
            if digest_of(Path(path)) != digest:
                changed.add(path)
    return changed
