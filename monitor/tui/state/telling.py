"""The numbers of a camera, an alert and an engine as names and values. Imports no Textual."""

from dataclasses import dataclass
from datetime import datetime

from monitor.api.schema import CameraStatus
from monitor.names import counted
from monitor.tui.state.fleet import Seen
from monitor.tui.state.site import Camera, Site
from monitor.tui.state.words import (
    LABELS,
    NOTHING,
    TIMES,
    Tone,
    clock,
    rate,
    since,
    size,
    span,
    times,
    when,
)


@dataclass(frozen=True, slots=True)
class Said:
    """A name, a value, and a tone where it matters."""

    name: str
    value: str
    tone: Tone | None = None


def of_camera(camera: Camera) -> list[Said]:
    """What a person asks of a camera, the most asked first."""
    status, now, look = camera.status, camera.site.now, camera.look
    score = camera.score
    over = camera.current and score is not None and score >= 1
    said = [
        Said(
            "state", f"{look.symbol} {look.word} for {span(since(begun(camera), now))}", look.tone
        ),
        Said("", status.reason),
        *_learning(status),
        Said("score", _score(camera), "alert" if over else None),
        Said("alerts", _alerts(status, camera)),
    ]
    if status.muted_until is not None and status.muted_until > now:
        said.append(Said("muted", f"until {when(status.muted_until, now)}", "warn"))
    said += [Said("promise", _promise(status), _kept(status)), *_flow(status), *_learned(camera)]
    said += [Said("note", note) for note in status.notes]
    return [one for one in said if one.value]


def begun(camera: Camera) -> datetime:
    """When its open alert began, else its state."""
    alert = camera.site.alerts.get(camera.status.open_alert or "")
    return alert.started_at if alert is not None else camera.since


def _score(camera: Camera) -> str:
    chance, at = camera.status.p_value, camera.status.scored_at
    if not camera.current and camera.score is not None:
        moment = f" at {when(at, camera.site.now)}" if at else ""
        return f"was {times(camera.score)} threshold{moment}"
    p = f"   p {chance:.2g}" if chance is not None else ""
    return times(camera.score) + (" threshold" if camera.score is not None else "") + p


def _alerts(status: CameraStatus, camera: Camera) -> str:
    last = when(status.last_alert_at, camera.site.now)
    return f"{status.alerts_today} today, last {last}" if status.last_alert_at else "none yet"


def _promise(status: CameraStatus) -> str:
    if status.promised_per_day is None:
        return ""
    measured = rate(status.measured_per_day)
    watched = f" over {span(status.watched_s)}" if status.watched_s else ""
    return f"{rate(status.promised_per_day)} false alarms, measured {measured}{watched}"


def _kept(status: CameraStatus) -> Tone | None:
    if status.promised_per_day is None or status.measured_per_day is None:
        return None
    return "warn" if status.measured_per_day > 2 * status.promised_per_day else None


def _flow(status: CameraStatus) -> list[Said]:
    if status.kind == "stills":
        share = f"{status.defective / status.judged:.1%}" if status.judged else NOTHING
        return [Said("judged", f"{status.judged:,}, {status.defective:,} defective, {share}")]
    shape = f"{status.size[1]} {TIMES} {status.size[0]}" if status.size else ""
    dropped = ", ".join(f"{cause} {n:,}" for cause, n in sorted(status.drops.items()) if n)
    return [
        Said("frames", f"{status.fps_in:.1f} per s, scored {status.fps_scored:.1f}"),
        Said("age", f"{span(status.frame_age_s)}, at score {span(status.age_at_score_s)}"),
        Said("picture", shape),
        Said("dropped", dropped or "nothing"),
        Said("reconnects", f"{status.reconnects:,}   epoch {status.epoch}"),
    ]


def _learning(status: CameraStatus) -> list[Said]:
    """How far; of a camera that has a model, that judges until then."""
    if status.learning is None:
        return []
    done = f"{status.learning.step} {status.learning.share:.0%}, {status.learning.text}"
    return [Said("relearning" if status.model else "learning", done, "learn")]


def _learned(camera: Camera) -> list[Said]:
    status = camera.status
    said = [Said("detector", status.detector), Said("model", status.model)]
    if status.learned_at is not None:
        said.append(Said("learned", when(status.learned_at, camera.site.now)))
    memory = size(status.rss_bytes) if status.rss_bytes else ""
    return [
        *said,
        Said("address", status.address),
        Said("tags", ", ".join(status.tags)),
        Said("memory", memory),
    ]


def of_alert(seen: Seen) -> list[Said]:
    """What a person asks of an alert."""
    alert, now = seen.alert, seen.site.now
    going = alert.phase != "end"
    end = now if going else alert.ended_at
    length = span(since(alert.started_at, end))
    said = [
        Said("camera", alert.camera),
        Said(
            "strength",
            f"{times(alert.strength)} threshold"
            + (f"   p {alert.p_value:.2g}" if alert.p_value else ""),
            "alert",
        ),
        Said("began", when(alert.started_at, now)),
        Said("peak", when(alert.peak_at, now)),
        Said(
            "ended",
            "still going on" if going else when(alert.ended_at, now),
            "alert" if going else None,
        ),
        Said("length", length),
        Said("reason", alert.reason),
        Said("ended by", alert.ended_by),
        Said("goes on", alert.continues),
        Said("seen", _acknowledged(seen), None if alert.acknowledged_at else "warn"),
        Said("label", LABELS[alert.label] if alert.label else "none yet"),
        Said("note", alert.note),
        Said("kept", "pinned: never deleted" if alert.pinned else ""),
        Said("model", alert.model),
        Said("clip", (alert.clip_path or "on the engine") if alert.has_clip else "none"),
        Said("id", alert.id),
    ]
    return [one for one in said if one.value]


def _acknowledged(seen: Seen) -> str:
    at = seen.alert.acknowledged_at
    return f"acknowledged {when(at, seen.site.now)}" if at else "by nobody yet"


def of_engine(site: Site) -> list[Said]:
    """Engine, machine, store and versions."""
    engine = site.engine
    link: dict[str, Tone] = {"live": "calm", "connecting": "learn", "lost": "bad"}
    state = f"{site.link} since {clock(site.link_since)}" if site.link_since else site.link
    said = [Said("link", f"{state}  {site.link_text}", link[site.link])]
    if engine is None:
        return said
    tone: Tone = "calm" if engine.state == "running" else "warn"
    said += [
        Said("engine", f"{engine.version}, {engine.state}", tone),
        Said("up", span(since(engine.started_at, site.now))),
        Said("scoring", f"{engine.scored_per_s:.1f} per s by {engine.runtime or NOTHING}"),
        Said(
            "overload",
            f"stage {engine.overload_stage}: {engine.overload}"
            if engine.overload_stage
            else "none",
        ),
        Said("loop lag", f"{engine.loop_lag_s * 1000:.0f} ms"),
        Said("memory", size(engine.rss_bytes)),
        Said(
            "disk", f"{size(engine.disk_free_bytes)} free, evidence {size(engine.evidence_bytes)}"
        ),
        Said("store", engine.store),
        Said(
            "alerts",
            f"{counted(engine.open_alerts, 'open alert')}, {engine.unacknowledged:,} not seen",
        ),
        Said(
            "notices",
            f"{engine.outbox_waiting:,} waiting",
            "warn" if engine.outbox_waiting else None,
        ),
        Said("versions", ", ".join(f"{name} {v}" for name, v in engine.versions.items())),
    ]
    return [one for one in said if one.value]
