"""Figures for Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from monitor.api.metrics import Metrics
from tests.monitor.api.asking import ask
from tests.monitor.api.scripted import ScriptedEngine

NAMED = [
    "frames_in",
    "frames_scored",
    "frames_dropped",
    "frame_age_seconds",
    "decode_seconds",
    "queue_wait_seconds",
    "score_seconds",
    "batch_size",
    "camera_state",
    "reconnects",
    "stalls",
    "recovery_seconds",
    "events_open",
    "events",
    "notifications",
    "outbox_depth",
    "db_commit_seconds",
    "wal_bytes",
    "clip_bytes",
    "disk_free_bytes",
    "process_rss_bytes",
    "open_fds",
    "children",
    "score_quantile",
    "loop_lag_seconds",
]


def values(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def labels(**given: str) -> frozenset[tuple[str, str]]:
    return frozenset(given.items())


def test_all_that_dashboards_are_built_on_is_there() -> None:
    families = text_string_to_metric_families(Metrics().render().decode())
    names = {family.name for family in families}
    assert {f"oddwatch_{name}" for name in NAMED} <= names


def test_what_is_counted_is_told() -> None:
    metrics = Metrics()
    metrics.frames_in("door", 10)
    metrics.frames_in("door")
    metrics.dropped("door", "stale", 3)
    metrics.scored("door", 0.15)
    metrics.batch(4, 0.02)
    metrics.notice("webhook", "sent")
    told = values(metrics)
    assert told["oddwatch_frames_in_total", labels(camera="door")] == 11
    assert told["oddwatch_frames_dropped_total", labels(camera="door", cause="stale")] == 3
    assert told["oddwatch_frame_age_seconds_bucket", labels(camera="door", le="0.1")] == 0
    assert told["oddwatch_frame_age_seconds_bucket", labels(camera="door", le="0.2")] == 1
    assert told["oddwatch_batch_size_sum", labels()] == 4
    assert told["oddwatch_notifications_total", labels(sink="webhook", result="sent")] == 1


def test_a_camera_is_in_one_state() -> None:
    metrics = Metrics()
    metrics.state("door", "connecting")
    metrics.state("door", "running")
    told = {key: value for key, value in values(metrics).items() if "camera_state" in key[0]}
    assert sum(told.values()) == 1
    assert told["oddwatch_camera_state", labels(camera="door", state="running")] == 1


def test_a_camera_that_is_removed_leaves_no_figures() -> None:
    metrics = Metrics()
    for camera in ("door", "yard"):
        metrics.frames_in(camera)
        metrics.dropped(camera, "rate")
        metrics.scored(camera, 0.1)
        metrics.state(camera, "running")
        metrics.reconnect(camera, "stall")
        metrics.recovery(camera, 3.0)
        metrics.alert(camera)
        metrics.quantiles(camera, {"0.5": 0.1})
    metrics.forget("door")
    text = metrics.render().decode()
    assert "door" not in text
    assert "yard" in text


def test_two_engines_in_a_process_do_not_mix() -> None:
    first, second = Metrics(), Metrics()
    first.alert("door")
    assert "door" not in second.render().decode()


def test_metrics_over_http(engine: ScriptedEngine) -> None:
    engine.collected.alert("door")
    answer = ask(engine, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'oddwatch_events_total{camera="door"} 1.0' in answer.text
