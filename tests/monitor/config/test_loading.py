import os
from pathlib import Path
from typing import get_args

import pytest

from monitor.config.loading import load_settings
from monitor.config.problems import ConfigError
from monitor.config.settings import ApiSettings, EngineSettings, RetentionSettings, Settings
from monitor.runtimes import NAMES
from tests.monitor.config.files import ONE, write

SECRET = "hunter2-horse"


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_settings(write(folder, text))
    assert SECRET not in str(error.value) + repr(error.value)
    assert all("\n" not in line for line in error.value.lines)
    return [line.removeprefix(f"{folder}/") for line in error.value.lines]


def test_one_camera_is_enough_and_the_rest_has_defaults(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ONE))
    (camera,) = settings.camera
    assert (camera.name, camera.url, camera.score_fps) == ("door", "rtsp://192.0.2.1/a", 2.0)
    assert (camera.user, camera.password, camera.gate) == ("", "", True)
    assert settings.api == ApiSettings()
    assert settings.retention == RetentionSettings()
    assert settings.engine == EngineSettings(folder=tmp_path / "oddwatch")


def test_an_empty_file_is_a_configuration(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "")).camera == []


def test_relative_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path.parent)
    text = (
        '[engine]\nfolder = "data"\n'
        '[[camera]]\nname = "a"\nurl = "films/a.mp4"\nmodel = "m.pt"\n'
        '[[camera]]\nname = "b"\nurl = "/b.mp4"\nmodel = "~/m.pt"\n'
        '[[camera]]\nname = "c"\nurl = "file:c.url"\n'
        '[[camera]]\nname = "d"\nurl = "0"\n'
        '[[camera]]\nname = "e"\nurl = "/dev/video2"\n'
        '[[camera]]\nname = "f"\nurl = "file:///f.mp4"\n'
        '[[camera]]\nname = "g"\nurl = "env:G"\n'
    )
    settings = load_settings(Path(tmp_path.name) / write(tmp_path, text).name)
    assert settings.engine.folder == tmp_path / "data"
    assert [camera.url for camera in settings.camera] == [
        str(tmp_path / "films/a.mp4"),
        "/b.mp4",
        f"file:{tmp_path}/c.url",
        "0",
        "/dev/video2",
        "file:///f.mp4",
        "env:G",
    ]
    assert settings.camera[0].model == str(tmp_path / "m.pt")
    assert settings.camera[1].model == str(Path("~/m.pt").expanduser())


def test_whole_numbers_are_numbers_and_arrays_are_points(tmp_path: Path) -> None:
    text = ONE + "score_fps = 4\nexclude = [[[0, 0], [1, 0], [1.0, 0.5]]]\n"
    (camera,) = load_settings(write(tmp_path, text)).camera
    assert camera.score_fps == 4.0
    assert camera.exclude == [[(0.0, 0.0), (1.0, 0.0), (1.0, 0.5)]]


CAMERA = 'watch.toml:{line}: camera "door": '


@pytest.mark.parametrize(
    ("added", "line", "said"),
    [
        ("scor_fps = 2", 4, "scor_fps: there is no such key; did you mean score_fps?"),
        ("pasword = 'env:A'", 4, "pasword: there is no such key; did you mean password?"),
        ("loop = 'yes'", 4, "loop: expected true or false, got a text"),
        ("score_fps = '2'", 4, "score_fps: expected a number, got a text"),
        ("score_fps = true", 4, "score_fps: expected a number, got true"),
        ("\nscore_fps = 0", 5, "score_fps: expected over 0, got 0"),
        ("fps = 61.5", 4, "fps: expected at most 60, got 61.5"),
        ("fps = nan", 4, "fps: expected a finite number, got nan"),
        ("width = 640.5", 4, "width: expected a whole number, got 640.5"),
        ("width = 10", 4, "width: expected at least 64, got 10"),
        ("transport = 'tpc'", 4, 'transport: expected "tcp" or "udp", got "tpc"'),
        ("tags = 'a'", 4, "tags: expected a list in brackets, got a text"),
        ("tags = 08:00:00", 4, "tags: expected a list in brackets, got a date or time"),
        ("exclude = [[[0, 0], [1, 1]]]", 4, "exclude, item 1: expected at least 3 points"),
        (
            "exclude = [[[0, 0], [1, 0], [1.5, 1]]]",
            4,
            "exclude, item 1, item 3, item 1: expected at most 1, got 1.5",
        ),
        ("exclude = [[[0,0],[1,0],[1,1,1]]]", 4, "item 3: expected two numbers, [x, y], got"),
        ("exclude = [[[0,0],[1,1],[0.5,0.5]]]", 4, "exclude: polygon 1 has no area"),
        ("model = 'a'\nlearn = '1 h'", 1, "model and learn are both given: keep one"),
        ("learn = '1 h'\ndetector = 'fuson'", 5, "fuson is not known; did you mean fusion?"),
        (
            "learn = '1 h'\ndetector = 'nsa'",
            5,
            "detector: nsa judges still pictures, and a camera learns from video; known are frame_",
        ),
        ("learn = '1 h'\ndetector = 'n\"s a'", 5, "detector: this name is not known; known are "),
        ("learn = '15 lightyears'", 4, 'learn: expected a span of time such as "15 min"'),
        (f"password = '{SECRET}'", 4, "password: expected a reference, env:NAME or file:PATH"),
        ("password = 'env:A'", 4, "password: is given without a user"),
        (f"analysis_url = 'rstp://u:{SECRET}@h'", 4, "scheme, rstp://; did you mean rtsp?"),
        (f"analysis_url = ['rtsp://u:{SECRET}@h']", 4, "expected a text in quotes, got a list"),
        ("analysis_url = 'rtsp://'", 4, "analysis_url: has no host"),
        (
            f"analysis_url = 'rtsp://u:{SECRET}@h:65536/a'",
            4,
            "analysis_url: there is no port 65536: expected 1 to 65535",
        ),
        ("analysis_url = 'rtsp://[::1]:0'", 4, "analysis_url: there is no port 0: expected 1"),
        ('model = "m\\u0000.pt"', 4, "model: holds the character U+0000"),
        ('tags = ["a", "\\u0000"]', 4, "tags, item 2: holds the character U+0000"),
        (
            f"user = 'a'\nanalysis_url = 'rtsp://b:{SECRET}@h/'",
            5,
            "analysis_url: has a user of its own",
        ),
        ("pre_s = 120", 1, "longest_clip_s: expected more than pre_s, which is 120"),
    ],
)
def test_a_camera_s_fault_is_one_line(tmp_path: Path, added: str, line: int, said: str) -> None:
    (fault,) = faults(tmp_path, ONE + added + "\n")
    assert fault.startswith(CAMERA.format(line=line))
    assert said in fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[camera]\nname = 'a'", "watch.toml:1: camera: expected [[camera]], in double brackets"),
        ("[[engine]]\nlog = 'info'", "engine: expected one section in single brackets, got"),
        ("[enigne]", "watch.toml:1: enigne: there is no such key; did you mean engine?"),
        ("[engine]\nx = 1", "watch.toml:2: [engine]: x: there is no such key; known are folder,"),
        (
            "[engine]\nfolder = 3",
            "watch.toml:2: [engine]: folder: expected a path in quotes, got 3",
        ),
        (
            '[engine]\nfolder = "a\\u0000b"',
            "watch.toml:2: [engine]: folder: holds the character U+0000",
        ),
        (
            f"[retention]\nmost_bytes = 1{400 * '0'}",
            "most_bytes: expected at most 1e+18, got a number of 401 digits",
        ),
        (f"[retention]\nmost_bytes = 1{5000 * '0'}", "watch.toml: a number in it has thousands of"),
        ("[retention]\ndays = 1e300", "watch.toml:2: [retention]: days: expected at most 36500"),
        ("[engine]\nruntime = 'bogus'", 'runtime: expected "auto", "torch", "torch-half", "openvi'),
        (
            "[engine]\ndevice = 'cpu'\nruntime = 'torch-half'",
            "watch.toml:3: [engine]: runtime: torch-half computes on a GPU: expected device",
        ),
        (
            "[engine]\nruntime = 'openvino'\n[[camera]]\nname = 'a'\nurl = '0'\nlearn = '15 min'",
            'watch.toml:2: [engine]: runtime: openvino runs exported models, and camera "a" learns',
        ),
        ("[[camera]]\nurl = '0'", "watch.toml:1: camera 1: name: is missing"),
        ("[[camera]]\nname = ''\nurl = '0'", "name: expected a text that is not empty, got a text"),
        ("[[camera]]\nname = 'a'\nurl = ''", 'camera "a": url: is empty: expected an address'),
        (
            '[[camera]]\nname = "do\\u001b[31mor"\nurl = "0"',
            'watch.toml:2: camera "do\\x1b[31mor": name: holds the control character U+001B: leave',
        ),
        (
            '[[camera]]\nname = "two\\nlines"\nurl = "0"',
            'camera "two\\nlines": name: holds the control character U+000A',
        ),
        (
            ONE + 'tags = ["a", "\\u0085"]',
            "tags, item 2: holds the control character U+0085",
        ),
        (
            ONE + "[[notice]]\nkind = 'log'\ncameras = [\"\\u001b\"]",
            "cameras, item 1: holds the control character U+001B",
        ),
        (
            ONE + ONE,
            "watch.toml:5: camera \"door\": name: two cameras are named 'door': name each once",
        ),
        ("a = \nb = 1", "watch.toml: this is not TOML: Invalid value (at line 1, column 5)"),
        (
            "a = 1\na = 2\nb = 3",
            "watch.toml: this is not TOML: Cannot overwrite a value (at line 2",
        ),
        ("[api]\nport = 70000", "watch.toml:2: [api]: port: expected at most 65535, got 70000"),
        ("[api]\nhost = '0.0.0.0'", "[api]: host: the API may be reached from elsewhere"),
        (f"[api]\nadmins = ['{SECRET}']", "watch.toml:2: [api]: admins: expected a reference"),
        ("[[notice]]\nkind = 'webhok'", 'expected "webhook", "mqtt", "apprise", "command" or'),
        ("[[notice]]\nkind = 'webhook'", "notice 1 (webhook): url: is missing, which webhook"),
        ("[[notice]]\nkind = 'command'", "notice 1 (command): command: is missing"),
        (
            f"[[notice]]\nkind = 'mqtt'\nurl = 'http://u:{SECRET}@h'",
            "notice 1 (mqtt): url: expected an address that begins with mqtt:// or mqtts://",
        ),
        (
            "[[notice]]\nkind = 'mqtt'\nurl = 'mqtt://192.0.2.1:99999'",
            "watch.toml:3: notice 1 (mqtt): url: there is no port 99999: expected 1 to 65535",
        ),
        (
            f"[[notice]]\nkind = 'webhook'\nurl = 'https://h/'\nsecret = '{SECRET}'",
            "watch.toml:4: notice 1 (webhook): secret: expected a reference",
        ),
        (
            ONE + "[[notice]]\nkind = 'log'\ncameras = ['dor']",
            'cameras: there is no camera "dor"; did you mean door?',
        ),
    ],
)
def test_a_section_s_fault_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (fault,) = faults(tmp_path, text)
    assert said in fault


def test_names_of_all_scripts_are_taken(tmp_path: Path) -> None:
    for name in ("Hof \U0001f469\u200d\U0001f4bb", "ä/b %2F", "入口"):
        text = f'[[camera]]\nname = "{name}"\nurl = "0"'
        assert load_settings(write(tmp_path, text)).camera[0].name == name


def test_several_faults_are_said_in_the_order_of_the_file(tmp_path: Path) -> None:
    said = faults(tmp_path, "[api]\nport = -1\n" + ONE + "fps = 99\nlop = true\n")
    assert [line.split(":")[1] for line in said] == ["2", "6", "7"]


def test_ten_faults_are_enough_for_a_screen(tmp_path: Path) -> None:
    said = faults(tmp_path, "[engine]\n" + "".join(f"key{i} = {i}\n" for i in range(14)))
    assert len(said) == 11
    assert said[-1].endswith("4 more; mend these first")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such configuration file"):
        load_settings(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load_settings(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'a = "\xe9"')
    with pytest.raises(ConfigError, match="is not UTF-8 at byte 5"):
        load_settings(tmp_path / "latin.toml")


def test_what_lies_too_deep_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too deep in each other"):
        load_settings(write(tmp_path, f"a = {'[' * 5000}{']' * 5000}"))


def test_no_repr_shows_what_may_be_secret(tmp_path: Path) -> None:
    settings = load_settings(
        write(
            tmp_path,
            f"[engine]\nstore = 'postgresql://u:{SECRET}@h/db'\n"
            f"[[camera]]\nname = 'a'\nurl = 'rtsp://u:{SECRET}@h'\n"
            f"analysis_url = 'rtsp://u:{SECRET}@h'\n"
            f"[[notice]]\nkind = 'webhook'\nurl = 'https://u:{SECRET}@h'\n"
            f"command = ['curl', '{SECRET}']\n",
        )
    )
    assert settings.camera[0].url == f"rtsp://u:{SECRET}@h"
    assert SECRET not in repr(settings) + str(settings)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().engine = EngineSettings()


def test_the_runtimes_are_those_that_a_command_takes() -> None:
    assert get_args(EngineSettings.model_fields["runtime"].annotation) == NAMES


def test_a_folder_whose_name_no_store_and_no_api_could_say_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "w.toml").write_text("")
    with pytest.raises(ConfigError) as refused:
        load_settings(folder / "w.toml")
    assert refused.value.lines == [
        f"{tmp_path}/caf\\udce9: the name of a configuration's folder has to be UTF-8; rename it"
    ]
