"""The words between an engine and its clients: what the API gives out, as plain checked values.

Moments are aware datetimes in UTC, spans seconds, `strength` and `score` are "times the
threshold": 0 is typical, 1 the threshold. Imports nothing of the engine.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from monitor.moments import in_utc

API_VERSION = 1  # a client refuses an engine of another one
VERSION_HEADER = "oddwatch-api"  # on every answer of an engine

CameraState = Literal[
    "disabled",  # by configuration
    "paused",  # by a person, or outside its schedule
    "connecting",
    "warmup",  # frames come, smoothing and clips fill up
    "learning",  # collects normal footage, or trains on it
    "running",
    "degraded",  # scored less often than asked, or with corrupt frames
    "blind",  # the picture is frozen, black, covered, blurred or moved
    "stalled",
    "backoff",  # waits before it connects again
    "failed",  # refused log-in, wrong address, no model: needs a person
    "ended",  # a file that was watched to its end
]
Label = Literal["true", "normal_here", "unsure"]
Role = Literal["viewer", "operator", "admin"]
Action = Literal["pause", "resume", "relearn", "snapshot"]
Sort = Literal["newest", "oldest", "strongest", "changed"]
Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]  # that a client names; becomes UTC


class Word(BaseModel):
    """Unknown keys are ignored, so that a newer engine of the same API version can add some."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Learning(Word):
    """How far a camera is that learns its own model."""

    step: Literal["collecting", "training", "calibrating"]
    share: float  # done of this step, 0 to 1
    text: str  # one line for people


class CameraStatus(Word):
    """One camera as it is now."""

    name: str
    kind: Literal["video", "stills"] = "video"
    state: CameraState
    since: datetime  # in this state
    reason: str = ""  # one line, where the state needs one; no secrets
    address: str = ""  # without user, password and query
    tags: list[str] = []
    score: float | None = None  # newest, times the threshold
    p_value: float | None = None
    scored_at: datetime | None = None
    fps_in: float = 0.0
    fps_scored: float = 0.0
    frame_age_s: float | None = None  # of the newest frame
    age_at_score_s: float | None = None  # median of the last minute
    size: tuple[int, int] | None = None  # height, width of the analysed picture
    epoch: int = 0
    reconnects: int = 0
    drops: dict[str, int] = {}  # by cause: rate, gate, stale, busy, corrupt, shed
    open_alert: str | None = None  # id
    last_alert_at: datetime | None = None
    alerts_today: int = 0
    muted_until: datetime | None = None
    learning: Learning | None = None
    model: str = ""
    detector: str = ""
    learned_at: datetime | None = None
    promised_per_day: float | None = None  # false alarms
    measured_per_day: float | None = None  # not labelled true, of what was watched in a day
    watched_s: float = 0.0
    notes: list[str] = []  # of the calibration
    judged: int = 0  # stills
    defective: int = 0
    rss_bytes: int = 0  # of the capture process
    pid: int | None = None  # of the capture process; None: a thread, or none runs


class ScorePoint(Word):
    """One reading."""

    camera: str
    at: datetime
    score: float | None  # times the threshold; None: not a number
    p_value: float | None = None


class AlertView(Word):
    """One alert in its latest revision."""

    id: str
    camera: str
    phase: Literal["new", "update", "end"]
    revision: int
    started_at: datetime
    ended_at: datetime
    peak_at: datetime
    strength: float | None = None  # of its peak; None: an alert of before schema 3
    p_value: float | None = None
    reason: str = ""
    region: str = ""  # where in the picture, in words
    ended_by: str = ""
    continues: str = ""
    model: str = ""
    acknowledged_at: datetime | None = None
    label: Label | None = None
    note: str = ""
    pinned: bool = False
    has_snapshot: bool = False  # /api/alerts/ID/snapshot
    has_clip: bool = False  # /api/alerts/ID/clip
    clip_path: str = ""  # on the engine's machine


class AlertPage(Word):
    """Some of the alerts that match a query, newest first."""

    total: int
    offset: int
    alerts: list[AlertView]


class HealthView(Word):
    """Something about a camera, the machine or the engine that a person should know."""

    id: str
    camera: str | None  # None: the engine or the machine
    kind: str  # stalled, frozen, dark, bright, covered, blurred, moved, infrared, unstable, ...
    severity: Literal["info", "warning", "error"]
    text: str
    started_at: datetime
    ended_at: datetime | None = None


class EngineStatus(Word):
    """The engine and its machine."""

    api: int = API_VERSION
    version: str
    state: Literal["starting", "running", "overloaded", "read_only", "stopping"]
    started_at: datetime
    now: datetime
    cameras: int
    open_alerts: int = 0
    unacknowledged: int = 0
    overload_stage: int = 0  # 0: none
    overload: str = ""  # one line on what is shed
    disk_free_bytes: int = 0
    evidence_bytes: int = 0
    store: str = ""  # without password
    unstored: str = ""  # one line on why nothing can be kept, where the state is read_only
    outbox_waiting: int = 0
    scored_per_s: float = 0.0
    loop_lag_s: float = 0.0
    rss_bytes: int = 0
    runtime: str = ""  # what scores, such as torch 2.15 cpu
    versions: dict[str, str] = {}


class LogLine(Word):
    """A line of the engine's log."""

    at: datetime
    level: Literal["debug", "info", "warning", "error"]
    camera: str | None = None
    text: str


class Mute(Word):
    """No notices of a camera until then; None: from now on again."""

    until: Moment | None


class Said(Word):
    """What a person says of an alert; None leaves a value as it is."""

    acknowledged: bool | None = None
    label: Label | Literal["none"] | None = None
    note: str | None = None
    pinned: bool | None = None


class Message(Word):
    """One message of the stream /api/stream (SSE: `event` is the kind, `data` this as JSON)."""

    engine: EngineStatus | None = None
    cameras: list[CameraStatus] = []
    removed: list[str] = []  # cameras that are no more
    scores: list[ScorePoint] = []  # at most every 250 ms, all that came since
    alerts: list[AlertView] = []
    health: list[HealthView] = []
    log: list[LogLine] = []


class Asked(BaseModel):
    """Parameters of a question. Unknown ones are refused: they would not count, unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AlertWanted(Asked):
    """Which alerts, in which order, and how many at once; what is None does not narrow."""

    camera: str | None = None
    tag: str | None = None  # of its camera; of a fleet, node:NAME: of the node that raised it
    since: Moment | None = None  # alerts that ended then or later
    until: Moment | None = None  # alerts that started before
    open: bool | None = None
    acknowledged: bool | None = None
    label: Label | None = None
    labelled: bool | None = None
    pinned: bool | None = None
    text: str = Field(default="", max_length=200)  # words of the row, or tags
    sort: Sort = "newest"
    limit: int = Field(default=100, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=1_000_000_000)  # no database counts to 10^20
