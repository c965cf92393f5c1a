from pathlib import Path

import pytest

from monitor.cluster.house import ENGINE
from monitor.config.changes import (
    CAPTURE_KEYS,
    NOTICE_KEYS,
    SCORING_KEYS,
    Changes,
    Reloader,
    changes_of,
)
from monitor.config.loading import load_cameras
from monitor.config.problems import ConfigError
from monitor.config.redacting import Registry
from monitor.config.settings import (
    CameraSettings,
    EngineSettings,
    NoticeSettings,
    RetentionSettings,
    Settings,
)
from tests.monitor.config.files import ONE, write


def door(**values: object) -> CameraSettings:
    return CameraSettings.model_validate({"name": "door", "url": "0", **values})


YARD = CameraSettings(name="yard", url="1")


def test_every_key_of_a_camera_has_one_consequence() -> None:
    sets = (CAPTURE_KEYS, SCORING_KEYS, NOTICE_KEYS)
    assert sorted([*CAPTURE_KEYS, *SCORING_KEYS, *NOTICE_KEYS, "name"]) == sorted(
        CameraSettings.model_fields
    ), sets


@pytest.mark.parametrize(
    ("values", "needs"),
    [
        ({"url": "2"}, "capture"),
        ({"width": 320, "tags": ["a"]}, "capture"),
        ({"privacy": [[(0, 0), (1, 0), (1, 1)]]}, "capture"),
        ({"gate": False}, "scoring"),
        ({"exclude": [[(0, 0), (1, 0), (1, 1)]], "cooldown_s": 1}, "scoring"),
        ({"cooldown_s": 1}, "notices"),
    ],
)
def test_what_a_change_of_a_camera_needs(values: dict[str, object], needs: str) -> None:
    changes = changes_of(Settings(camera=[door(), YARD]), Settings(camera=[door(**values), YARD]))
    (change,) = changes.changed
    assert (change.camera, change.needs) == (door(**values), needs)
    assert set(change.keys) == set(values)
    assert changes == Changes(changed=(change,))


def test_cameras_come_and_go() -> None:
    changes = changes_of(Settings(camera=[door()]), Settings(camera=[YARD]))
    assert (changes.added, changes.removed, changes.changed) == ((YARD,), ("door",), ())
    assert changes.text() == "added yard; removed door"
    swapped = changes_of(Settings(camera=[door(), YARD]), Settings(camera=[YARD, door()]))
    assert swapped == Changes(reordered=True)


def test_nothing_changed_is_nothing() -> None:
    assert not changes_of(Settings(camera=[door()]), Settings(camera=[door()]))
    assert Changes().text() == "nothing changed"


def test_what_all_cameras_share() -> None:
    new = Settings(
        engine=EngineSettings(device="cpu"),
        retention=RetentionSettings(days=1),
        notice=[NoticeSettings(kind="log")],
    )
    changes = changes_of(Settings(), new)
    assert changes == Changes(notices=True, retention=True, restart=("engine.device",))
    assert "not before a restart of the engine: engine.device" in changes.text()


class Running:
    def __init__(self, folder: Path, text: str) -> None:
        self.path = write(folder, text)
        self.environment = {"PW": "hunter2"}
        self.registry = Registry()
        self.reloader = Reloader(self.path, self.registry, self.environment)


def test_a_start_needs_good_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Running(tmp_path, "[engnie]")


def test_what_is_wrong_or_missing_leaves_the_last_good_settings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = Running(tmp_path, ONE)
    good = running.reloader.settings
    write(tmp_path, ONE + "fps = 99\n")
    assert running.reloader.reload().problems[0].endswith("expected at most 60, got 99")
    running.path.unlink()
    answer = running.reloader.reload()
    assert "there is no such configuration file" in answer.problems[0]
    assert (answer.settings, answer.changes) == (good, Changes())
    assert running.reloader.settings == good
    assert "not applied; the last good settings go on" in caplog.text
    write(tmp_path, ONE + "fps = 9\n")
    assert running.reloader.reload().changes.changed[0].keys == ("fps",)


def test_who_watches_keeps_the_last_good_settings_where_the_file_names_no_camera(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, ONE)
    reloader = Reloader(path, Registry(), load=load_cameras)
    good = reloader.settings
    write(tmp_path, "[api]\nport = 0\n")
    answer = reloader.reload()
    assert answer.problems[0].endswith(
        "expected a camera to watch, found none; add a [[camera]] with name and url"
    )
    assert (answer.settings, reloader.settings) == (good, good)
    with pytest.raises(ConfigError, match="expected a camera"):
        Reloader(path, Registry(), load=load_cameras)


def test_a_drained_node_keeps_its_engine_without_cameras(tmp_path: Path) -> None:
    running = Running(tmp_path, ONE)
    write(tmp_path, "")
    assert running.reloader.reload().changes.removed == ("door",)
    assert "--idle" in ENGINE


def test_a_new_password_is_a_change_although_the_file_is_the_same(tmp_path: Path) -> None:
    running = Running(tmp_path, ONE + 'user = "me"\npassword = "env:PW"\n')
    running.environment["PW"] = "hunter3"
    (change,) = running.reloader.reload().changes.changed
    assert (change.keys, change.needs) == (("url",), "capture")
    assert running.registry.redact("hunter2 hunter3") == "*** ***"
    del running.environment["PW"]
    assert "env:PW: the environment variable is not set" in running.reloader.reload().problems[0]


def test_what_needs_a_restart_is_said_until_it_comes(tmp_path: Path) -> None:
    running = Running(tmp_path, ONE)
    write(tmp_path, "[engine]\ndevice = 'cpu'\n" + ONE + "fps = 9\n")
    answer = running.reloader.reload()
    assert answer.changes.restart == ("engine.device",)
    assert (answer.settings.engine.device, answer.settings.camera[0].fps) == ("auto", 9.0)
    assert running.reloader.reload().changes == Changes(restart=("engine.device",))
