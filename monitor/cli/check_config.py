"""`oddwatch check CONFIG`: whether a live engine would start, and what it would need."""

import os
import socket
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from monitor.addresses import public_address
from monitor.cli.config_needs import Need, needs_of, say_bytes
from monitor.cli.printing import print_json, print_line
from monitor.config.loading import load_settings, no_camera
from monitor.config.problems import ConfigError
from monitor.config.redacting import Registry
from monitor.config.secrets import resolve
from monitor.config.settings import ApiSettings, CameraSettings, EngineSettings, Settings
from monitor.errors import MonitorError
from monitor.missing import ENGINE, lacking
from monitor.names import counted

if TYPE_CHECKING:
    from monitor.model import Model
    from monitor.stills.model import StillModel

PROBE_S = 3.0  # of looking at a camera
PROBE_FRAMES = 300
AT_ONCE = 8  # cameras that are probed; decoders share the cores


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that prevents the engine or a camera from working, or should be known."""

    severity: Literal["error", "warning"]
    text: str


@dataclass(frozen=True, slots=True)
class Probed:
    """What a camera gave."""

    name: str
    address: str  # without secrets
    fault: str = ""
    size: tuple[int, int] | None = None  # height, width
    rate_hz: float | None = None  # measured where frames came, else announced
    codec: str = ""
    first_frame_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found out."""

    config: str
    cameras: int | None  # that are enabled; None: the file cannot be used, none was looked at
    findings: list[Finding]
    needs: list[Need]
    probed: list[Probed]

    @property
    def works(self) -> bool:
        """Whether nothing stands in the way."""
        return all(finding.severity != "error" for finding in self.findings)


def check_config(path: Path, *, probe: bool, as_json: bool) -> bool:
    """Say what is wrong with a configuration; whether it will work."""
    registry = Registry()
    report = examine_config(path, registry, probe=probe)
    if as_json:
        print_json({**_redacted(asdict(report), registry), "works": report.works})
    else:
        for line in _lines(report, probe=probe):
            print_line(registry.redact(line))
    return report.works


def examine_config(path: Path, registry: Registry, *, probe: bool) -> Report:
    """Everything, as far as it can be found out without starting an engine."""
    try:
        settings, warnings = resolve(load_settings(path), registry)
    except ConfigError as error:
        return Report(str(path), None, [Finding("error", line) for line in error.lines], [], [])
    findings = [Finding("warning", line) for line in warnings]
    findings += _of_install(settings)
    findings += _of_machine(settings)
    cameras = [camera for camera in settings.camera if camera.enabled]
    models, faults = _models(cameras, settings.engine)
    findings += faults
    findings += [finding for camera in cameras for finding in _of_camera(camera)]
    probed = _probe_all(cameras) if probe else []
    findings += [finding for one in probed for finding in _of_probe(one, models)]
    needs = needs_of(settings, {one.name: one.size for one in probed if one.size})
    findings += [
        Finding(
            "error",
            f"{need.what}: {say_bytes(need.amount)} are needed, there are "
            f"{say_bytes(need.there or 0)}: {need.text}",
        )
        for need in needs
        if not need.enough
    ]
    if not settings.camera:
        findings.append(Finding("error", no_camera(path)))
    elif not cameras:
        findings.append(Finding("warning", f"{path}: no camera is enabled: nothing is watched"))
    return Report(str(path), len(cameras), findings, needs, probed)


def _of_install(settings: Settings) -> Iterator[Finding]:
    """A small install has what judges, but perhaps not what watches, answers and tells."""
    needs: dict[str, tuple[str, ...]] = {"the engine": ENGINE}
    if any(notice.kind == "apprise" for notice in settings.notice):
        needs["a [[notice]] of apprise"] = ("apprise",)
    if settings.engine.store.startswith("postgres"):
        needs["a store in PostgreSQL"] = ("psycopg",)
    for what, packages in needs.items():
        line = lacking(what, packages)
        if line:
            yield Finding("error", line)


def _of_machine(settings: Settings) -> Iterator[Finding]:
    from monitor.model import choose_device
    from monitor.runtimes import check_half

    try:
        device = choose_device(settings.engine.device)
        if settings.engine.runtime == "torch-half":
            check_half(device)
    except MonitorError as error:
        yield Finding("error", f"[engine]: {error}")
    folder = settings.engine.folder
    place = next(part for part in (folder, *folder.parents) if part.exists())
    if not place.is_dir():
        yield Finding("error", f"[engine]: folder: {place} is a file, expected a folder")
    elif not os.access(place, os.W_OK | os.X_OK):
        yield Finding("error", f"[engine]: folder: {place} cannot be written by this user")
    yield from _of_store(settings.engine.store)
    if settings.api.enabled:
        yield from _of_tokens(settings.api)
    if settings.api.enabled and settings.api.port:
        yield from _of_port(settings.api.host, settings.api.port)


def _of_store(place: str) -> Iterator[Finding]:
    try:
        from monitor.store_schema import check_place

        check_place(place)
    except ModuleNotFoundError:
        return  # said of the install
    except MonitorError as error:
        yield Finding("error", f"[engine]: store: {error}")


def _of_tokens(api: ApiSettings) -> Iterator[Finding]:
    from monitor.api.auth import Tokens

    try:
        Tokens(api.viewers, api.operators, api.admins)
    except MonitorError as error:
        yield Finding("error", str(error))


def _of_port(host: str, port: int) -> Iterator[Finding]:
    """A port that is taken is no error: one checks the configuration of a running engine too."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind, number) as plug:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            plug.bind(address)
    except PermissionError:
        yield Finding(
            "error", f"[api]: port {port}: this user may not listen there; over 1023 all may"
        )
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == 99:  # not of this machine
            yield Finding("error", f"[api]: host: {host} is no address of this machine")
        else:
            text = f"[api]: port {port} is taken; by an engine that runs already?"
            yield Finding("warning", text)


def _models(
    cameras: Iterable[CameraSettings], engine: EngineSettings
) -> tuple[dict[str, "Model | StillModel"], list[Finding]]:
    """Each file once, on the CPU; by camera's name."""
    opened: dict[str, Model | StillModel | str] = {}
    models: dict[str, Model | StillModel] = {}
    findings = []
    for camera in cameras:
        if not camera.model:
            continue
        if camera.model not in opened:
            try:
                opened[camera.model] = _opened(Path(camera.model), engine)
            except Exception as error:  # noqa: BLE001  models.errors, ours and torch's alike
                opened[camera.model] = " ".join(str(error).split())
        found = opened[camera.model]
        if isinstance(found, str):
            findings.append(Finding("error", f'camera "{camera.name}": model: {found}'))
        else:
            models[camera.name] = found
    return models, findings


def _opened(path: Path, engine: EngineSettings) -> "Model | StillModel":
    """On the CPU, beside whatever computes on the GPU; refused where the engine could not run it.

    That there is no GPU is a fault of the engine's settings, and not said of every model again.
    """
    from monitor.model import check_cpu, choose_device
    from monitor.runtimes import Exported, try_runtime
    from monitor.stills.model import open_model

    model = open_model(path)
    model.calibrated()
    if isinstance(model.detector, Exported):
        check_cpu(engine.device, path)
    device = "cuda" if engine.device == "cuda" else choose_device(engine.device)
    if engine.runtime != "torch-half" or device == "cuda":
        try_runtime(model.detector, engine.runtime, device)
    return model


def _of_camera(camera: CameraSettings) -> Iterator[Finding]:
    from monitor.live.calendar import Calendar
    from monitor.live.masks import check_polygons

    where = f'camera "{camera.name}"'
    for check in (
        lambda: Calendar.parse(camera.schedule),
        lambda: check_polygons(
            camera.name, include=camera.include, exclude=camera.exclude, privacy=camera.privacy
        ),
    ):
        try:
            check()
        except MonitorError as error:
            text = str(error)
            yield Finding("error", text if text.startswith("camera ") else f"{where}: {text}")
    yield from _of_learning(camera, where)
    for key in ("url", "analysis_url"):
        url = getattr(camera, key).removeprefix("file://")
        if url and "://" not in url and not url.isdigit() and not Path(url).exists():
            yield Finding("error", f"{where}: {key}: there is nothing at {public_address(url)}")


def _of_learning(camera: CameraSettings, where: str) -> Iterator[Finding]:
    if camera.model:
        return
    if not camera.learn:
        text = f'{where}: has nothing to judge by: give model = "FILE" or learn = "15 min"'
        yield Finding("error", text)
        return
    try:
        import models.registry  # noqa: F401  as the training process will
    except ModuleNotFoundError as error:
        text = f"{where}: learn: {error.name} is not installed here, and learning needs it"
        yield Finding("error", f'{text}: give model = "FILE", of oddwatch export')


def _probe_all(cameras: list[CameraSettings]) -> list[Probed]:
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe") as pool:
        return list(pool.map(_probe, cameras))


def _probe(camera: CameraSettings) -> Probed:
    """Connect, see the first frame, and for some seconds how many come; never raises."""
    from monitor.sources import open_source
    from monitor.sources.stream import OPEN_TIMEOUT_S

    url = camera.analysis_url or camera.url
    address, began = public_address(url), time.monotonic()
    try:
        with open_source(url, patience_s=max(OPEN_TIMEOUT_S, camera.stall_s)) as source:
            times_s = []
            first_s = 0.0
            for frame in islice(source.frames(), PROBE_FRAMES):
                first_s = first_s or time.monotonic() - began
                times_s.append(frame.time_s)
                if time.monotonic() - began - first_s > PROBE_S:
                    break
            span_s = times_s[-1] - times_s[0] if times_s else 0.0
            rate_hz = (len(times_s) - 1) / span_s if span_s > 0 else source.rate_hz
            codec = getattr(source, "codec", "")
            return Probed(camera.name, address, "", source.size, rate_hz, codec, first_s)
    except (MonitorError, OSError) as error:
        return Probed(camera.name, address, " ".join(str(error).split()))


def _of_probe(one: Probed, models: dict[str, "Model | StillModel"]) -> Iterator[Finding]:
    from monitor.model import Model

    if one.fault:
        yield Finding("error", f'camera "{one.name}": {one.fault}')
    model = models.get(one.name)
    if one.size and isinstance(model, Model):
        try:
            model.check_picture(one.size, f'camera "{one.name}"')
        except MonitorError as error:
            yield Finding("error", str(error))


def _lines(report: Report, *, probe: bool) -> Iterator[str]:
    usable = "no usable configuration"
    what = usable if report.cameras is None else counted(report.cameras, "camera")
    yield f"{report.config}: {what}"
    for one in report.probed:
        yield f"  camera    {one.name}: {one.address}: {_gave(one)}"
    for need in report.needs:
        amount = f"{need.amount:g} per second" if need.what == "rate" else say_bytes(need.amount)
        there = "" if need.there is None else f" (there are {say_bytes(need.there)})"
        yield f"  needs     {need.what}: about {amount}{there}: {need.text}"
    for finding in report.findings:
        yield f"  {finding.severity:<8}  {finding.text}"
    unseen = "" if probe or not report.cameras else "; --probe connects to the cameras"
    verdict = "it can be watched" if report.works else "it will not work as it is"
    yield f"  verdict   {verdict}{unseen}"


def _gave(one: Probed) -> str:
    if one.fault or one.size is None:
        return "nothing"
    rate = f"{one.rate_hz:.1f} frames per second" if one.rate_hz else "no clock"
    parts = [f"{one.size[1]}x{one.size[0]}", rate, one.codec]
    parts.append(f"first frame after {one.first_frame_s:.1f} s")
    return ", ".join(part for part in parts if part)


def _redacted(value: Any, registry: Registry) -> Any:
    if isinstance(value, str):
        return registry.redact(value)
    if isinstance(value, dict):
        return {key: _redacted(item, registry) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, registry) for item in value]
    return value
