from pathlib import Path

import pytest

from monitor.config.loading import load_settings
from monitor.config.problems import ConfigError
from monitor.config.redacting import Registry
from monitor.config.secrets import resolve
from monitor.config.settings import Settings
from tests.monitor.config.files import write

CAMERA = '[[camera]]\nname = "door"\n'


def resolved(folder: Path, text: str, **environment: str) -> tuple[Settings, list[str], Registry]:
    registry = Registry()
    settings = load_settings(write(folder, text))
    return *resolve(settings, registry, environment), registry


def secret_file(folder: Path, content: str, name: str = "cam.pw", mode: int = 0o600) -> Path:
    path = folder / name
    path.write_text(content)
    path.chmod(mode)
    return path


def test_user_and_password_go_into_both_addresses(tmp_path: Path) -> None:
    secret_file(tmp_path, "p/w@1\n")
    text = CAMERA + (
        'url = "rtsp://h/a"\nanalysis_url = "rtsp://h/b"\n'
        'user = "env:CAM_USER"\npassword = "file:cam.pw"\n'
    )
    settings, warnings, registry = resolved(tmp_path, text, CAM_USER="me")
    (camera,) = settings.camera
    assert camera.url == "rtsp://me:p%2Fw%401@h/a"
    assert camera.analysis_url == "rtsp://me:p%2Fw%401@h/b"
    assert (camera.user, camera.password, warnings) == ("", "", [])
    assert registry.redact("p/w@1 and p%2Fw%401") == "*** and ***"
    assert "p/w@1" not in repr(settings)


def test_a_whole_address_may_be_a_reference(tmp_path: Path) -> None:
    text = CAMERA + 'url = "env:DOOR"\n'
    settings, _, registry = resolved(tmp_path, text, DOOR="rtsp://u:hunter2@h/a")
    assert settings.camera[0].url == "rtsp://u:hunter2@h/a"
    assert registry.redact("hunter2") == "***"


def test_tokens_and_keys_are_resolved_and_known(tmp_path: Path) -> None:
    text = (
        '[engine]\nstore = "env:DB"\n[api]\nadmins = ["env:ADMIN"]\nviewers = ["env:A", "env:B"]\n'
        '[[notice]]\nkind = "webhook"\nurl = "env:HOOK"\nsecret = "env:SIGN"\n'
        '[[notice]]\nkind = "mqtt"\nurl = "mqtt://h"\nuser = "env:A"\nsecret = "env:B"\n'
    )
    values = {
        "DB": "postgresql://u:dbsecret@h/x",
        "ADMIN": "adminsecret",
        "A": "asecret",
        "B": "bsecret",
        "HOOK": "https://hooks/T0/averylongsecret",
        "SIGN": "signsecret",
    }
    settings, _, registry = resolved(tmp_path, text, **values)
    assert settings.engine.store == values["DB"]
    assert (settings.api.admins, settings.api.viewers) == (["adminsecret"], ["asecret", "bsecret"])
    hook, mqtt = settings.notice
    assert (hook.url, hook.secret) == (values["HOOK"], "signsecret")
    assert (mqtt.url, mqtt.user, mqtt.secret) == ("mqtt://h", "asecret", "bsecret")
    said = registry.redact(" ".join(values.values()) + " dbsecret averylongsecret")
    assert "secret" not in said


def test_every_reference_that_leads_nowhere_is_one_line(tmp_path: Path) -> None:
    secret_file(tmp_path, "\n", "empty.pw")
    (tmp_path / "binary.pw").write_bytes(b"\xff\xfe")
    text = "".join(
        f'[[camera]]\nname = "{number}"\nurl = "{reference}"\n'
        for number, reference in enumerate(
            ["env:NONE", "env:EMPTY", "file:none", "file:empty.pw", "file:binary.pw", "env:BAD"]
        )
    )
    with pytest.raises(ConfigError) as error:
        resolved(tmp_path, text, EMPTY="", BAD="ftp://u:hunter2@h")
    assert error.value.lines == [
        'camera "0": url: env:NONE: the environment variable is not set',
        'camera "1": url: env:EMPTY: the environment variable is empty',
        f'camera "2": url: file:{tmp_path}/none: No such file or directory',
        f'camera "3": url: file:{tmp_path}/empty.pw: is empty',
        f'camera "4": url: file:{tmp_path}/binary.pw: is not text in UTF-8',
        'camera "5": url: there is no such scheme, ftp://; known are rtsp, rtsps, http, '
        "https, rtmp, rtmps, udp, tcp, rtp, srt, file",
    ]


def test_what_everyone_may_read_and_what_stands_in_the_file_is_warned_of(tmp_path: Path) -> None:
    secret_file(tmp_path, "hunter2", mode=0o644)
    text = CAMERA + (
        'url = "rtsp://h/a"\nuser = "me"\npassword = "file:cam.pw"\n'
        '[[camera]]\nname = "yard"\nurl = "rtsp://me:hunter3@h"\n'
        '[[notice]]\nkind = "apprise"\nurl = "mailto://me:hunter4@h"\n'
    )
    _, warnings, registry = resolved(tmp_path, text)
    assert len(warnings) == 3
    assert warnings[0].endswith("cam.pw: everyone may read it; chmod 600 it")
    assert warnings[1].startswith('camera "yard": url: a password stands in the file')
    assert warnings[2].startswith("notice 1 (apprise): url: a password stands in the file")
    assert "hunter" not in " ".join(warnings)
    assert registry.redact("hunter2 hunter3 hunter4") == "*** *** ***"


def test_a_password_of_the_store_in_the_file_is_warned_of(tmp_path: Path) -> None:
    text = '[engine]\nstore = "postgresql://me:hunter5@h/x"\n'
    _, (warning,), registry = resolved(tmp_path, text)
    assert warning.startswith("[engine]: store: a password stands in the file")
    assert registry.redact("hunter5") == "***"
    by_reference = '[engine]\nstore = "env:DB"\n'
    assert resolved(tmp_path, by_reference, DB="postgresql://me:hunter5@h/x")[1] == []


def test_a_port_that_there_is_not_is_found_behind_references_too(tmp_path: Path) -> None:
    text = CAMERA + 'url = "env:DOOR"\n[[notice]]\nkind = "mqtt"\nurl = "env:BROKER"\n'
    values = {"DOOR": "rtsp://u:hunter2@h:70000/a", "BROKER": "mqtt://h:70000"}
    with pytest.raises(ConfigError) as error:
        resolved(tmp_path, text, **values)
    fault = "url: there is no port 70000: expected 1 to 65535"
    assert error.value.lines == [f'camera "door": {fault}', f"notice 1 (mqtt): {fault}"]


def test_a_user_is_given_once_and_only_to_addresses(tmp_path: Path) -> None:
    text = CAMERA + 'url = "env:URL"\nuser = "me"\n'
    with pytest.raises(ConfigError, match="has a user of its own"):
        resolved(tmp_path, text, URL="rtsp://you@h")
    with pytest.raises(ConfigError, match="only addresses such as rtsp:// have users"):
        resolved(tmp_path, text, URL="/dev/video0")
