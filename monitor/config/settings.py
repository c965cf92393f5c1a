"""What a live engine is told: every key of a configuration file, its range and its default.

Values only: files are read in `loading`, what one key says of another is in `checks`, secrets in
`secrets`. Times in seconds, sizes in bytes. What may hold a secret is not in any repr.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # what moves a terminal, or ends a line


def _shown(text: str) -> str:
    """Of what goes to logs, terminals and topics as it is.

    Raises:
        ValueError: It would do more there than be read.
    """
    if found := CONTROL.search(text):
        raise ValueError(f"holds the control character U+{ord(found[0]):04X}: leave it out")
    return text


Share = Annotated[float, Field(ge=0, le=1)]
Point = Annotated[tuple[Share, Share], Field(strict=False)]  # strict refuses TOML's arrays
Polygon = Annotated[list[Point], Field(min_length=3)]  # x, y in shares of the picture
Seconds = Annotated[float, Field(ge=0)]
Shown = Annotated[str, AfterValidator(_shown)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_shown)]
Bytes = Annotated[int, Field(ge=0, le=10**18)]  # an exabyte
Folder = Annotated[Path, Field(strict=False)]  # strict refuses texts
Hidden = Annotated[str, Field(repr=False)]  # may hold a secret
HiddenList = Annotated[list[str], Field(repr=False)]


class Strict(BaseModel):
    """No unknown keys, no silent conversions, no changes afterwards."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


class EngineSettings(Strict):
    """What all cameras share."""

    folder: Folder = Path("oddwatch")  # store, evidence, models that cameras learned themselves
    store: Hidden = ""  # a database URL; empty: events.db in the folder
    capture: Literal["process", "thread"] = "process"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    runtime: Literal["auto", "torch", "torch-half", "openvino", "onnxruntime", "opencv"] = "auto"
    stale_s: Seconds = 0.5  # an older frame is not scored any more
    overload: bool = True  # shed load in stages where scoring cannot follow
    log: Literal["debug", "info", "warning", "error"] = "info"


class ApiSettings(Strict):
    """The HTTP API. Tokens are references: `env:NAME` or `file:PATH`."""

    enabled: bool = True
    host: str = "127.0.0.1"  # anything but loopback needs a token
    port: Annotated[int, Field(ge=0, le=65535)] = 8737  # 0: any that is free
    viewers: HiddenList = []
    operators: HiddenList = []
    admins: HiddenList = []


class RetentionSettings(Strict):
    """How long evidence is kept; pinned events and open ones always are. 0: no limit."""

    days: Annotated[float, Field(ge=0, le=36_500)] = 30.0
    most_bytes: Bytes = 20_000_000_000
    least_free_bytes: Bytes = 1_000_000_000
    every_s: Annotated[float, Field(gt=0)] = 60.0


class CameraSettings(Strict):
    """One camera, file or drop folder."""

    name: Name
    url: Hidden  # may be `env:NAME` or `file:PATH` as a whole, where it has a password
    user: Hidden = ""  # of `url` and `analysis_url`; may be a reference
    password: Hidden = ""  # a reference, `env:NAME` or `file:PATH`
    analysis_url: Hidden = ""  # a sub-stream to analyse; clips are then cut from `url`
    enabled: bool = True
    transport: Literal["tcp", "udp"] = "tcp"
    backend: Literal["auto", "pyav", "opencv"] = "auto"
    hardware: str = ""  # FFmpeg's name of a decoder device, such as vaapi or cuda
    loop: bool = False  # a file: again from its start
    pace: Literal["own", "fast"] = "own"  # a file: by its clock, or as fast as it is judged
    width: Annotated[int, Field(ge=64, le=1920)] = 640  # of the analysed picture, at most
    fps: Annotated[float, Field(ge=0, le=60)] = 0.0  # analysed; 0: what the model learned at
    score_fps: Annotated[float, Field(gt=0, le=60)] = 2.0
    model: str = ""  # a model file
    learn: str = ""  # "15 min": without a model, learn this much normal footage
    detector: str = "fusion"  # that learns
    train_minutes: Annotated[float, Field(gt=0)] = 5.0  # of training, once enough is collected
    false_alarms_per_day: Annotated[float, Field(ge=0)] = 0.0  # 0: what the model was set for
    gate: bool = True  # a picture without motion is scored only every `floor_s`
    floor_s: Annotated[float, Field(gt=0)] = 5.0
    include: list[Polygon] = []  # only here; empty: everywhere
    exclude: list[Polygon] = []
    privacy: list[Polygon] = []  # blacked before anything is scored or stored
    schedule: list[str] = []  # "mon-fri 08:00-18:00", local time; empty: always
    first_frame_s: Annotated[float, Field(gt=0)] = 15.0
    stall_s: Seconds = 0.0  # 0: max(10, 5 / fps)
    pre_s: Seconds = 5.0
    post_s: Seconds = 5.0
    longest_clip_s: Annotated[float, Field(gt=0)] = 120.0
    cooldown_s: Seconds = 60.0  # between notices, not between alerts
    priority: int = 0  # higher is shed later
    tags: list[Shown] = []

    @model_validator(mode="after")
    def _has_something_to_judge_by(self) -> Self:
        if self.model and self.learn:
            raise ValueError("model and learn are both given: keep one")
        return self


class NoticeSettings(Strict):
    """Where alerts are told. Passwords and keys are references, `env:NAME` or `file:PATH`."""

    kind: Literal["webhook", "mqtt", "apprise", "command", "log"]
    name: Shown = ""  # in logs and metrics; empty: kind and number
    url: Hidden = ""  # webhook, mqtt (mqtt://host:port), apprise
    secret: Hidden = ""  # webhook: signs the body (HMAC-SHA256); mqtt: the password
    user: Hidden = ""  # mqtt; may be a reference
    topic: str = "oddwatch"  # mqtt: the first part of all topics
    discovery: str = "homeassistant"  # mqtt: Home Assistant's prefix; empty: none
    command: HiddenList = []  # its program and arguments; the event comes on stdin as JSON
    cameras: list[Shown] = []  # empty: all
    phases: list[Literal["new", "update", "end"]] = ["new", "end"]
    health: bool = True  # health events too
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0


class Settings(Strict):
    """A whole configuration."""

    engine: EngineSettings = EngineSettings()
    api: ApiSettings = ApiSettings()
    retention: RetentionSettings = RetentionSettings()
    camera: list[CameraSettings] = []
    notice: list[NoticeSettings] = []
