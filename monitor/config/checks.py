"""What one key of a configuration says of another, and what a type cannot say. Touches no disk.

Schedules are left to the engine's calendar.
"""

import re
from collections.abc import Iterator, Sequence

from models.names import STILLS, VIDEO
from monitor.addresses import has_login, port_fault
from monitor.config.problems import Problem, near
from monitor.config.settings import (
    ApiSettings,
    CameraSettings,
    NoticeSettings,
    Polygon,
    Settings,
)
from monitor.config.spans import parse_span

REFERENCE = re.compile(r"(env|file):(?!//)(.+)", re.DOTALL)
SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "tcp", "rtp", "srt", "file")
LOOPBACK = re.compile(r"127(\.\d+){3}|localhost|::1")
MQTT = ("mqtt", "mqtts")
WEB = ("http", "https")
OF_EXPORTS = ("openvino", "onnxruntime", "opencv")  # runtimes


def is_reference(text: str) -> bool:
    """Whether a value says where a secret is: `env:NAME` or `file:PATH`."""
    return REFERENCE.fullmatch(text) is not None


def check_settings(settings: Settings) -> Iterator[Problem]:
    """All that is wrong although each value by itself may be so."""
    yield from _runtime(settings)
    yield from _api(settings.api)
    for index, camera in enumerate(settings.camera):
        for key, text in _camera(camera):
            yield Problem(("camera", index, key), text)
    names = [camera.name for camera in settings.camera]
    for index, name in enumerate(names):
        if name in names[:index]:
            text = f"two cameras are named {name!r}: name each once"
            yield Problem(("camera", index, "name"), text)
    for index, notice in enumerate(settings.notice):
        for key, text in _notice(notice, names):
            yield Problem(("notice", index, key), text)


def address_faults(url: str) -> Iterator[str]:
    """What is wrong with the form of a source's address; references are left alone."""
    scheme, mark, rest = url.partition("://")
    if is_reference(url) or not mark:
        return
    if scheme.lower() not in SCHEMES:
        plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9+-]{,11}", scheme)
        named = f"there is no such scheme, {scheme}://" if plain else "there is no such scheme"
        yield f"{named}; {near(scheme, SCHEMES)}"
    elif not rest.strip("/"):
        yield "has no host"
    elif fault := port_fault(url):
        yield fault


def _runtime(settings: Settings) -> Iterator[Problem]:
    engine = settings.engine
    if engine.runtime == "torch-half" and engine.device == "cpu":
        text = 'torch-half computes on a GPU: expected device = "auto" or "cuda", got "cpu"'
        yield Problem(("engine", "runtime"), text)
    learning = [camera.name for camera in settings.camera if camera.learn]
    if learning and engine.runtime in OF_EXPORTS:
        text = (
            f'{engine.runtime} runs exported models, and camera "{learning[0]}" learns one that '
            'runs on torch: expected "auto" or "torch"'
        )
        yield Problem(("engine", "runtime"), text)


def _api(api: ApiSettings) -> Iterator[Problem]:
    tokens = {"viewers": api.viewers, "operators": api.operators, "admins": api.admins}
    for role, references in tokens.items():
        if not all(map(is_reference, references)):
            yield Problem(("api", role), _no_reference())
    if api.enabled and not LOOPBACK.fullmatch(api.host) and not any(tokens.values()):
        yield Problem(
            ("api", "host"),
            "the API may be reached from elsewhere and has no token: "
            'give admins = ["env:NAME"], or host = "127.0.0.1"',
        )


def _camera(camera: CameraSettings) -> Iterator[tuple[str, str]]:
    yield from _addresses(camera)
    if camera.learn:
        yield from _learning(camera)
    if camera.pre_s >= camera.longest_clip_s:
        yield "longest_clip_s", f"expected more than pre_s, which is {camera.pre_s:g}"
    for key in ("include", "exclude", "privacy"):
        polygons: list[Polygon] = getattr(camera, key)
        for number, polygon in enumerate(polygons, 1):
            if _area(polygon) < 1e-6:  # a pixel of 1000x1000
                yield key, f"polygon {number} has no area: its points lie on one line"


def _learning(camera: CameraSettings) -> Iterator[tuple[str, str]]:
    try:
        parse_span(camera.learn)
    except ValueError as error:
        yield "learn", str(error)
    if camera.detector in STILLS:
        text = f"{camera.detector} judges still pictures, and a camera learns from video"
        yield "detector", f"{text}; known are {', '.join(VIDEO)}"
    elif camera.detector not in VIDEO:
        named = camera.detector if re.fullmatch(r"[\w-]{1,40}", camera.detector) else "this name"
        yield "detector", f"{named} is not known; {near(camera.detector, VIDEO)}"


def _addresses(camera: CameraSettings) -> Iterator[tuple[str, str]]:
    for key, url in (("url", camera.url), ("analysis_url", camera.analysis_url)):
        if key == "url" and not url:
            yield key, "is empty: expected an address, a file, a folder or a camera's number"
        yield from ((key, fault) for fault in address_faults(url))
        if has_login(url) and (camera.user or camera.password):
            yield key, "has a user of its own, and user or password are given too: keep one"
    if camera.password and not is_reference(camera.password):
        yield "password", _no_reference()
    elif camera.password and not camera.user:
        yield "password", "is given without a user"


def _notice(notice: NoticeSettings, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    needed = "command" if notice.kind == "command" else "url"
    if notice.kind != "log" and not getattr(notice, needed):
        yield needed, f"is missing, which {notice.kind} needs"
    if notice.secret and not is_reference(notice.secret):
        yield "secret", _no_reference()
    schemes = {"webhook": WEB, "mqtt": MQTT}.get(notice.kind)
    plain = notice.url and not is_reference(notice.url)
    if schemes and plain and notice.url.partition("://")[0].lower() not in schemes:
        yield (
            "url",
            f"expected an address that begins with {' or '.join(f'{s}://' for s in schemes)}",
        )
    elif schemes and plain and (fault := port_fault(notice.url)):
        yield "url", fault
    for name in notice.cameras:
        if name not in names:
            yield "cameras", f'there is no camera "{name}"; {near(name, names)}'


def _no_reference() -> str:
    return "expected a reference, env:NAME or file:PATH, so that no secret stands in this file"


def _area(polygon: Polygon) -> float:
    """By the shoelace formula, in shares of the picture."""
    following = [*polygon[1:], polygon[0]]
    turns = (x * v - u * y for (x, y), (u, v) in zip(polygon, following, strict=True))
    return abs(sum(turns)) / 2
