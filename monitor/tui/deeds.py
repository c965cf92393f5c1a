"""What a person can do: each asks an engine, then says in one line what came of it."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.api.client_errors import Unanswered
from monitor.api.schema import Action, Label, Said
from monitor.errors import MonitorError
from monitor.files import write_atomically
from monitor.names import counted
from monitor.tui.copies import copy_alert
from monitor.tui.screens.ask import ChoiceScreen, LineScreen
from monitor.tui.screens.page import Page
from monitor.tui.state.desk import Desk
from monitor.tui.state.fleet import Seen, tomorrow
from monitor.tui.state.site import Camera
from monitor.tui.state.words import LABELS, fit, when

if TYPE_CHECKING:
    from monitor.tui.app import Dashboard

PATH_S = 10.0  # a line with a path stays as long as it takes to note it
MUTES = (("15 min", 15), ("1 hour", 60), ("8 hours", 480))


class Deeds:
    """Bound to one dashboard; nothing here draws."""

    def __init__(self, dashboard: "Dashboard") -> None:
        self._dashboard = dashboard

    def _do(self, work: Callable[..., Coroutine[None, None, None]], *values: object) -> None:
        self._dashboard.do(partial(self._safely, partial(work, *values)), "deeds", alone=False)

    async def _safely(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await work()
        except MonitorError as error:
            self._dashboard.fail(error)
        except OSError as error:
            self._dashboard.fail(f"{error.filename or ''} {error.strerror or error}".strip())

    # cameras

    def act(self, camera: Camera, action: Action) -> None:
        """Pause, resume, relearn or take a snapshot."""
        self._do(self._act, camera, action)

    async def _act(self, camera: Camera, action: Action) -> None:
        done = await self._dashboard.engine_of(camera).act(camera.name, action)
        self._dashboard.tell(_answer(camera, done))

    def pause_or_resume(self, camera: Camera) -> None:
        """Whichever it is not."""
        self.act(camera, "resume" if camera.status.state == "paused" else "pause")

    def snapshot(self, camera: Camera) -> None:
        """Keep its newest picture on the engine's machine."""
        self.act(camera, "snapshot")

    def ask_relearn(self, camera: Camera) -> None:
        """Only after a yes; what it knows judges until it has learned."""
        title = f"Let {fit(camera.name, 40)} forget what is normal, and learn it anew?"
        until = "; its old model judges until then" if camera.status.model else ""
        options = (("", "No, keep what it knows"), ("yes", f"Yes, learn anew{until}"))
        self._dashboard.push_screen(
            ChoiceScreen(title, options),
            lambda answer: self.act(camera, "relearn") if answer == "yes" else None,
        )

    def ask_mute(self, camera: Camera) -> None:
        """For how long; alerts are still kept."""
        now = camera.site.now
        morning = tomorrow(now)
        options = [
            (str(minutes), f"{text}, until {when(now + timedelta(minutes=minutes), now)[:5]}")
            for text, minutes in MUTES
        ]
        options.append(("morning", f"until {morning.strftime('%a %H:%M')}"))
        if camera.status.muted_until is not None and camera.status.muted_until > now:
            options.insert(
                0, ("off", f"no longer (muted until {when(camera.status.muted_until, now)})")
            )

        def answered(answer: str | None) -> None:
            if answer:
                self._do(self._mute, camera, _until(answer, camera.site.now, morning))

        title = f"No notices of {fit(camera.name, 40)} for"
        self._dashboard.push_screen(ChoiceScreen(title, options), answered)

    async def _mute(self, camera: Camera, until: datetime | None) -> None:
        done = await self._dashboard.engine_of(camera).mute(camera.name, until)
        self._dashboard.tell(_answer(camera, done))

    def acknowledge_camera(self, camera: Camera) -> None:
        """Its open alert, else its newest."""
        seen = self._dashboard.fleet.newest_of(camera)
        if seen is None:
            self._dashboard.tell(f"{fit(camera.name, 40)} has no alert to acknowledge")
        elif seen.alert.acknowledged_at is not None:
            self._dashboard.tell(
                f"{fit(camera.name, 40)}: its newest alert is acknowledged already"
            )
        else:
            self.say(seen, Said(acknowledged=True), "acknowledged")

    # alerts

    def say(self, seen: Seen, said: Said, text: str) -> None:
        """Tell the engine, and the screen that shows the alert."""
        self._do(self._say, seen, said, text)

    async def _say(self, seen: Seen, said: Said, text: str) -> None:
        desk, name = self._dashboard.desk, fit(seen.alert.camera, 40)
        try:
            now = await desk.say(seen, said, text)
            self._dashboard.tell(f"{name}: {text}   (u takes it back)")
        except Unanswered as error:
            self._dashboard.fail(f"{name}: {text}? {error}   (u takes it back)")
            now = await desk.hear(seen)
        self._show(now)

    def _show(self, seen: Seen) -> None:
        if isinstance(self._dashboard.screen, Page):
            self._dashboard.screen.changed(seen)

    def acknowledge(self, seen: Seen) -> None:
        """Or take that back, where it is acknowledged."""
        done = seen.alert.acknowledged_at is None
        self.say(seen, Said(acknowledged=done), "acknowledged" if done else "not acknowledged")

    def label(self, seen: Seen, label: Label) -> None:
        """Say what it was; saying the same again takes it away. Who labels has seen it."""
        if seen.alert.label == label:
            self.say(seen, Said(label="none"), "no label")
            return
        acknowledged = True if seen.alert.acknowledged_at is None else None
        self.say(seen, Said(label=label, acknowledged=acknowledged), f"labelled {LABELS[label]}")

    def pin(self, seen: Seen) -> None:
        """Keep it and its evidence for ever, or as long as others."""
        pinned = not seen.alert.pinned
        self.say(seen, Said(pinned=pinned), "kept for ever" if pinned else "kept as others are")

    def ask_note(self, seen: Seen) -> None:
        """A line of text."""

        def answered(text: str | None) -> None:
            if text is not None and text != seen.alert.note:
                self.say(seen, Said(note=text), "note kept")

        title = f"Note on the alert of {fit(seen.alert.camera, 40)}"
        self._dashboard.push_screen(LineScreen(title, seen.alert.note), answered)

    def undo(self) -> None:
        """Take back what was said last."""
        self._do(self._undo)

    async def _undo(self) -> None:
        step = await self._dashboard.desk.undo()
        if step is None:
            self._dashboard.tell("nothing to take back")
            return
        self._dashboard.tell(f"{fit(step.seen.alert.camera, 40)}: taken back: {step.text}")
        self._show(step.seen)

    # files

    def export(self, desk: Desk) -> None:
        """All alerts that match, as CSV in the folder that the dashboard was started in."""
        self._do(self._export, desk)

    async def _export(self, desk: Desk) -> None:
        done = await desk.export()
        path = Path.cwd() / f"alerts-{self._dashboard.wall().strftime('%Y%m%d-%H%M%S')}.csv"
        write_atomically(path, done.text)
        told = f"{counted(done.alerts, 'alert')} written to {path}"
        if done.missing:
            self._dashboard.fail(f"{told}; without those of {', '.join(done.missing)}: engine lost")
        else:
            self._dashboard.tell(told, PATH_S)

    def export_alert(self, seen: Seen) -> None:
        """This one, as a folder of files beside where the dashboard was started."""
        self._do(self._export_alert, seen)

    async def _export_alert(self, seen: Seen) -> None:
        folder = Path.cwd() / f"alert-{seen.alert.id}"
        engine = self._dashboard.desk.source_of(seen).engine
        written = await copy_alert(engine, seen.alert, folder)
        self._dashboard.tell(f"{', '.join(written)} written to {folder}", PATH_S)

    def open_clip(self, seen: Seen) -> None:
        """In the program that this machine plays videos with; fetched first from another one."""
        if seen.alert.has_clip:
            self._do(self._open_clip, seen)
        else:
            self._dashboard.tell("this alert has no clip")

    async def _open_clip(self, seen: Seen) -> None:
        path = Path(seen.alert.clip_path)
        if not (seen.alert.clip_path and path.is_file()):
            folder = Path(tempfile.mkdtemp(prefix="oddwatch-"))
            path = folder / f"{seen.alert.id}.mp4"
            await self._dashboard.desk.source_of(seen).engine.save_clip(seen.alert.id, path)
        if await _play(path):
            self._dashboard.tell(f"opened {path}")
        else:
            self._dashboard.tell(f"no program opens videos here; the clip is {path}", PATH_S)


def _answer(camera: Camera, said: str) -> str:
    """What the engine answered, under the camera's name once, however long that is."""
    name = fit(camera.name, 40)
    if said.startswith(camera.name):
        return name + said.removeprefix(camera.name)
    return f"{name}: {said}"


def _until(answer: str, now: datetime, morning: datetime) -> datetime | None:
    if answer == "off":
        return None
    return morning if answer == "morning" else now + timedelta(minutes=int(answer))


async def _play(path: Path) -> bool:
    """Whether a program was found; it lives on when the dashboard ends."""
    mac = sys.platform == "darwin"
    if not mac and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    program = shutil.which("open" if mac else "xdg-open")
    if program is None:
        return False
    quiet = asyncio.subprocess.DEVNULL
    await asyncio.create_subprocess_exec(
        program, str(path), stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    )
    return True
