"""The engine's figures for Prometheus. Labels are the camera's name, never its address."""

from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from monitor.api.schema import CameraState

DropCause = Literal["rate", "gate", "stale", "busy", "corrupt", "shed"]

AGES_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)  # 0.5: the staleness budget
WORK_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
RECOVERIES_S = (1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 900.0)  # back-off ends at 60
SIZES = (1, 2, 4, 8, 16, 32)
STATES: tuple[CameraState, ...] = get_args(CameraState)


class Metrics:
    """Collectors in a registry of their own, so that two engines in a process do not mix.

    Counting is cheap and thread-safe; call it per frame at most.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._frames()
        self._cameras()
        self._events()
        self._machine()

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)

    # Frames and scores

    def frames_in(self, camera: str, n: int = 1) -> None:
        """Frames were decoded."""
        self._in.labels(camera).inc(n)

    def dropped(self, camera: str, cause: DropCause, n: int = 1) -> None:
        """Frames were not scored."""
        self._dropped.labels(camera, cause).inc(n)

    def scored(self, camera: str, age_s: float) -> None:
        """A frame was scored, so old."""
        self._scored.labels(camera).inc()
        self._age.labels(camera).observe(age_s)

    def decoded(self, camera: str, seconds: float) -> None:
        """Decoding and resizing one frame took so long."""
        self._decode.labels(camera).observe(seconds)

    def waited(self, camera: str, seconds: float) -> None:
        """A frame waited so long for its batch."""
        self._wait.labels(camera).observe(seconds)

    def batch(self, size: int, seconds: float) -> None:
        """A batch was scored."""
        self._batch.observe(size)
        self._score.observe(seconds)

    def quantiles(self, camera: str, values: dict[str, float]) -> None:
        """Quantiles of the latest scores, times the threshold, by their names such as 0.95."""
        for quantile, value in values.items():
            self._quantile.labels(camera, quantile).set(value)

    # Cameras

    def state(self, camera: str, state: CameraState) -> None:
        """The camera is in this state now and in no other."""
        for known in STATES:
            self._state.labels(camera, known).set(known == state)

    def reconnect(self, camera: str, reason: str) -> None:
        """A connection ended and is made again; `reason` is one of few words."""
        self._reconnects.labels(camera, reason).inc()

    def stalled(self, camera: str) -> None:
        """No frame came for too long."""
        self._stalls.labels(camera).inc()

    def recovery(self, camera: str, seconds: float) -> None:
        """From the loss noticed to the first good frame."""
        self._recovery.labels(camera).observe(seconds)

    def forget(self, camera: str) -> None:
        """The camera is no more: its figures go."""
        for collector in self._by_camera:
            collector.remove_by_labels({"camera": camera})

    # Alerts, notices, keeping

    def alert(self, camera: str) -> None:
        """An alert was raised."""
        self._alerts.labels(camera).inc()

    def open_alerts(self, n: int) -> None:
        """So many go on."""
        self._open.set(n)

    def notice(self, sink: str, result: str) -> None:
        """A notice was sent, failed or was given up."""
        self._notices.labels(sink, result).inc()

    def outbox(self, waiting: int) -> None:
        """Notices that wait to be sent."""
        self._outbox.set(waiting)

    def committed(self, seconds: float) -> None:
        """The store took so long to write."""
        self._commit.observe(seconds)

    def kept(self, *, wal_bytes: int, evidence_bytes: int, free_bytes: int) -> None:
        """What the disk holds."""
        self._wal.set(wal_bytes)
        self._evidence.set(evidence_bytes)
        self._free.set(free_bytes)

    # The machine

    def process(self, role: str, *, rss_bytes: int, fds: int = 0, children: int = 0) -> None:
        """Of `engine`, `capture` (all together) or `scoring`."""
        self._rss.labels(role).set(rss_bytes)
        self._fds.labels(role).set(fds)
        self._children.labels(role).set(children)

    def loop_lag(self, seconds: float) -> None:
        """The event loop is so late."""
        self._lag.set(seconds)

    def overload(self, stage: int) -> None:
        """0: none."""
        self._overload.set(stage)

    def _frames(self) -> None:
        self._in = self._counter("frames_in", "Frames decoded.", "camera")
        self._scored = self._counter("frames_scored", "Frames scored.", "camera")
        self._dropped = self._counter("frames_dropped", "Frames not scored.", "camera", "cause")
        self._age = self._histogram("frame_age_seconds", "Age at score.", AGES_S, "camera")
        self._decode = self._histogram("decode_seconds", "Decoding a frame.", WORK_S, "camera")
        self._wait = self._histogram("queue_wait_seconds", "Before scoring.", AGES_S, "camera")
        self._score = self._histogram("score_seconds", "Scoring a batch.", WORK_S)
        self._batch = self._histogram("batch_size", "Clips scored together.", SIZES)
        self._quantile = self._gauge("score_quantile", "Of scores.", "camera", "q")

    def _cameras(self) -> None:
        self._state = self._gauge("camera_state", "1: in this state.", "camera", "state")
        self._reconnects = self._counter("reconnects", "Connections again.", "camera", "reason")
        self._stalls = self._counter("stalls", "Frames stopped coming.", "camera")
        self._recovery = self._histogram(
            "recovery_seconds", "From a loss to the first good frame.", RECOVERIES_S, "camera"
        )

    def _events(self) -> None:
        self._alerts = self._counter("events", "Alerts raised.", "camera")
        self._open = self._gauge("events_open", "Alerts that go on.")
        self._notices = self._counter("notifications", "Notices.", "sink", "result")
        self._outbox = self._gauge("outbox_depth", "Notices that wait.")
        self._commit = self._histogram("db_commit_seconds", "Writing to the store.", WORK_S)
        self._wal = self._gauge("wal_bytes", "The store's write-ahead log.")
        self._evidence = self._gauge("clip_bytes", "Evidence on disk.")
        self._free = self._gauge("disk_free_bytes", "Free where evidence lies.")

    def _machine(self) -> None:
        self._rss = self._gauge("process_rss_bytes", "Memory.", "role")
        self._fds = self._gauge("open_fds", "Open files.", "role")
        self._children = self._gauge("children", "Processes started.", "role")
        self._lag = self._gauge("loop_lag_seconds", "The event loop's delay.")
        self._overload = self._gauge("overload_stage", "0: nothing is shed.")

    @property
    def _by_camera(self) -> tuple[Counter | Gauge | Histogram, ...]:
        frames = (self._in, self._scored, self._dropped, self._age, self._decode, self._wait)
        cameras = (self._state, self._reconnects, self._stalls, self._recovery)
        return (*frames, *cameras, self._quantile, self._alerts)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"oddwatch_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"oddwatch_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"oddwatch_{name}", text, labels, buckets=buckets, registry=self.registry)
