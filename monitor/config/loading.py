"""A configuration file becomes checked settings, or one line for each thing that is wrong in it."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from monitor.config.checks import check_settings
from monitor.config.lines import Place, lines_of
from monitor.config.problems import ConfigError, Problem, config_error, problems_of
from monitor.config.settings import CONTROL, CameraSettings, NoticeSettings, Settings
from monitor.names import shown


def load_settings(path: Path) -> Settings:
    """Read a TOML file. References to secrets stay references; relative paths start at the file.

    Raises:
        ConfigError: It is missing or is no TOML, or with one line for each thing that is wrong.
    """
    text = _read(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: this is not TOML: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: lists or tables lie too deep in each other"]) from None
    except ValueError:  # of Python, which reads 4300 digits
        text = "a number in it has thousands of digits: expected at most 18"
        raise ConfigError([f"{path}: {text}"]) from None
    lines = lines_of(text)
    if nothing := list(_nul(data)):
        raise _refusal(path, nothing, data, lines)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise _refusal(path, problems_of(error, Settings), data, lines) from None
    problems = list(check_settings(settings))
    if problems:
        raise _refusal(path, problems, data, lines)
    _check_place(path.absolute().parent)
    return _anchored(settings, path.absolute().parent)


def load_cameras(path: Path) -> Settings:
    """As `load_settings`, where somebody wants to watch: a file without cameras is a mistake.

    Raises:
        ConfigError: It names no camera, or what `load_settings` refuses.
    """
    settings = load_settings(path)
    if not settings.camera:
        raise ConfigError([no_camera(path)])
    return settings


def no_camera(path: Path) -> str:
    """What is wrong with a file that names none."""
    return f"{path}: expected a camera to watch, found none; add a [[camera]] with name and url"


def _check_place(folder: Path) -> None:
    """Where paths are told from: stores, the API and notices say them as text."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        said = f"{shown(str(folder))}: the name of a configuration's folder has to be UTF-8"
        raise ConfigError([f"{said}; rename it"]) from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such configuration file"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror or error}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 at byte {error.start}"]) from None


def _refusal(
    path: Path, problems: Sequence[Problem], data: dict[str, Any], lines: dict[Place, int]
) -> ConfigError:
    """Names and keys stand in its lines, which go to terminals: no control character does."""
    found = config_error(path, problems, data, lines)
    return ConfigError([CONTROL.sub(lambda it: ascii(it[0])[1:-1], line) for line in found.lines])


def _nul(value: Any, place: Place = ()) -> Iterator[Problem]:
    """Texts with a character that TOML can write, and neither paths nor commands can hold."""
    if isinstance(value, str) and "\0" in value:
        yield Problem(place, "holds the character U+0000, which nothing can be named by")
    parts = value.items() if isinstance(value, dict) else ()
    for key, part in enumerate(value) if isinstance(value, list) else parts:
        yield from _nul(part, (*place, key))


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Paths and references to files are told from the file's folder on."""
    engine, api = settings.engine, settings.api
    place = {
        "folder": folder / engine.folder.expanduser(),
        "store": _reference(engine.store, folder),
    }
    tokens = {
        role: [_reference(token, folder) for token in getattr(api, role)]
        for role in ("viewers", "operators", "admins")
    }
    update = {
        "engine": engine.model_copy(update=place),
        "api": api.model_copy(update=tokens),
        "camera": [_camera(camera, folder) for camera in settings.camera],
        "notice": [_notice(notice, folder) for notice in settings.notice],
    }
    return settings.model_copy(update=update)


def _camera(camera: CameraSettings, folder: Path) -> CameraSettings:
    update = {
        "url": _source(camera.url, folder),
        "analysis_url": _source(camera.analysis_url, folder),
        "user": _reference(camera.user, folder),
        "password": _reference(camera.password, folder),
        "model": _path(camera.model, folder),
    }
    return camera.model_copy(update=update)


def _notice(notice: NoticeSettings, folder: Path) -> NoticeSettings:
    keys = ("url", "secret", "user")
    return notice.model_copy(update={key: _reference(getattr(notice, key), folder) for key in keys})


def _reference(text: str, folder: Path) -> str:
    """`file:PATH` from the folder on; anything else as it is."""
    named = re.fullmatch(r"file:(?!//)(.+)", text, re.DOTALL)
    return f"file:{_path(named[1], folder)}" if named else text


def _source(url: str, folder: Path) -> str:
    """Files and folders from the folder on; addresses, references and devices as they are."""
    if "://" in url or url.startswith(("env:", "file:")) or re.fullmatch(r"\d+|/dev/.*|", url):
        return _reference(url, folder)
    return _path(url, folder)


def _path(text: str, folder: Path) -> str:
    return str(folder / Path(text).expanduser()) if text else ""
