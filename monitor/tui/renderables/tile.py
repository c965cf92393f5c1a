"""One camera on the wall: as a framed tile, or as one line where there are many."""

import textwrap
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from monitor.tui.renderables.braille import area, bar
from monitor.tui.renderables.line import Line, cut, ruled, width_of, words
from monitor.tui.renderables.palette import BOLD, Palette
from monitor.tui.state.site import Camera
from monitor.tui.state.words import ALERT, NOTHING, fit, one_line, since, span, times, when

FLOWING = {"warmup", "learning", "blind", "failed"}  # pictures come, and are not scored
WONDER_S = 10.0  # most cameras give a picture within five
LEAST_WIDTH, LEAST_HEIGHT = 32, 5
SPEAKING = {"blind", "failed", "stalled", "backoff", "degraded", "connecting", "paused", "ended"}
SPEAKING |= {"warmup"}  # waits for its model


@dataclass(frozen=True, slots=True)
class Frame:
    """How a tile is to be drawn."""

    width: int
    height: int
    span_s: int
    selected: bool
    title: str


def draw_tile(camera: Camera, frame: Frame, palette: Palette) -> list[Line]:
    """`frame.height` lines of `frame.width` cells."""
    look, now = camera.look, camera.site.now
    tone = palette.tone(look.tone, bold=look is ALERT)
    edge = palette.accent if frame.selected else tone if _loud(camera) else palette.faint
    inner = frame.width - 4
    inside = [*_middle(camera, frame, palette, inner, frame.height - 3)]
    inside.append(_numbers(camera, palette, inner))
    rounded = "┏┓┗┛━┃" if frame.selected else "╭╮╰╯─│"
    name = palette.text + BOLD if frame.selected or look is ALERT else palette.text
    return [
        _top(camera, frame, (tone, name, edge), rounded),
        *(
            [Segment(f"{rounded[5]} ", edge), *line, Segment(f" {rounded[5]}", edge)]
            for line in inside
        ),
        _bottom(camera, frame, palette, edge, rounded, now),
    ]


def _loud(camera: Camera) -> bool:
    return camera.look.tone in {"alert", "bad", "warn"}


def state_words(camera: Camera) -> str:
    """The state, and for how long where that is what a person asks next."""
    look, site = camera.look, camera.site
    if look is ALERT:
        alert = site.alerts.get(camera.status.open_alert or "")
        return f"{look.word} {span(since(alert.started_at, site.now))}" if alert else look.word
    if look.tone in {"bad", "warn"}:
        return f"{look.word} {span(since(camera.since, site.now))}"
    learning = camera.status.learning
    if learning is not None and look.tone == "calm":  # its old model judges until then
        return f"{look.word}, relearning {learning.share:.0%}"
    if camera.status.state == "connecting" and look.tone == "learn":
        return f"{look.word} {span(since(camera.since, site.now))}"
    return look.word


def _top(camera: Camera, frame: Frame, styles: tuple[Style, Style, Style], corners: str) -> Line:
    tone, name, edge = styles
    state = Segment(f" {state_words(camera)} ", tone)
    room = frame.width - 8 - width_of([state])
    left = [
        Segment(f"{corners[0]}{corners[4]} ", edge),
        Segment(f"{camera.look.symbol} ", tone),
        Segment(fit(frame.title, room) + " ", name),
    ]
    return ruled(
        left, [state, Segment(f"{corners[4]}{corners[1]}", edge)], frame.width, corners[4], edge
    )


def _bottom(
    camera: Camera, frame: Frame, palette: Palette, edge: Style, corners: str, now: datetime
) -> Line:
    status = camera.status
    left = [Segment(f"{corners[2]}{corners[4]}", edge)]
    right = [Segment(f"{corners[4]}{corners[3]}", edge)]
    if status.last_alert_at is not None:
        left.append(Segment(f" last alert {when(status.last_alert_at, now)} ", palette.dim))
    if status.muted_until is not None and status.muted_until > now:
        right.insert(
            0, Segment(f" muted to {when(status.muted_until, now)[:5]} ", palette.tone("warn"))
        )
    elif status.alerts_today:
        right.insert(0, Segment(f" {status.alerts_today} today ", palette.dim))
    return ruled(left, right, frame.width, corners[4], edge)


def _middle(camera: Camera, frame: Frame, palette: Palette, inner: int, rows: int) -> list[Line]:
    said = explain(camera)
    lines: list[Line] = []
    if camera.status.learning is not None and camera.look.tone == "learn":
        lines = _progress(camera, palette, inner)[:rows]
    elif said:
        tone = palette.tone(camera.look.tone)
        curve = 0 if camera.out_since else 1 if rows < 5 else 2  # nothing is scored while it is out
        lines = [[words(text, tone, inner)] for text in _wrapped(said, inner, rows - curve)]
    left = rows - len(lines)
    if left > 0:
        lines += draw_curve(camera, frame.span_s, inner, left, palette)
    return lines


def _wrapped(text: str, cells: int, most: int) -> list[str]:
    """At most so many lines, at least one, the last with an ellipsis where it was cut."""
    lines = textwrap.wrap(text, cells)
    most = max(1, most)
    return [*lines[: most - 1], fit(" ".join(lines[most - 1 :]), cells)] if lines else [""]


def explain(camera: Camera) -> str:
    """Why a camera is not simply watching, in one line; nothing where it is."""
    if camera.site.link == "lost":
        return ""
    if camera.status.state in SPEAKING:
        return one_line(camera.status.reason) or _connecting(camera)
    return ""


def _connecting(camera: Camera) -> str:
    """To what; and how a person finds out why, where it is long."""
    status = camera.status
    if status.state != "connecting" or not status.address:
        return ""
    long = since(camera.since, camera.site.now) >= WONDER_S
    more = "; oddwatch check CONFIG --probe tries it by itself" if long else ""
    return f"to {one_line(status.address)}{more}"


def _progress(camera: Camera, palette: Palette, inner: int) -> list[Line]:
    learning = camera.status.learning
    assert learning is not None
    percent = f" {min(1.0, max(0.0, learning.share)):4.0%}"
    tone = palette.tone("learn")
    done = [
        Segment(bar(learning.share, inner - len(percent)), tone),
        Segment(percent, palette.text),
    ]
    told = f"{learning.step}: {learning.text}"
    told = told if cell_len(told) <= inner else learning.text
    return [[words(told, palette.dim, inner)], done]


def draw_curve(camera: Camera, span_s: int, cells: int, rows: int, palette: Palette) -> list[Line]:
    """The last `span_s` of its scores."""
    levels = camera.curve.levels(camera.site.now.timestamp(), span_s, cells * 2)
    now = (palette.curve, palette.over)
    calm, over = now if camera.current else (palette.dim, palette.dim)
    return area(levels, rows, (calm, over, palette.faint))


def _numbers(camera: Camera, palette: Palette, inner: int) -> Line:
    status = camera.status
    if status.kind == "stills":
        share = f"{status.defective / status.judged:.1%}" if status.judged else NOTHING
        text = f"{status.judged:,} judged  {status.defective:,} defective  {share}"
        return [words(text, palette.text, inner)]
    if not camera.current:
        flows = status.fps_in > 0 and status.state in FLOWING
        flow = _flow(camera, palette) if flows and camera.site.link != "lost" else []
        return ruled([Segment(_was(camera), palette.dim)], flow, inner, " ", palette.dim)
    return ruled(
        _score(camera, palette, wide=inner >= 36), _flow(camera, palette), inner, " ", palette.dim
    )


def _was(camera: Camera) -> str:
    """The last score, and when that was: nothing is scored now."""
    if camera.score is None:
        return times(None)
    return f"was {times(camera.score)} {_last(camera)}".strip()


def _last(camera: Camera) -> str:
    at = camera.status.scored_at
    return "" if at is None or camera.score is None else f"at {when(at, camera.site.now)}"


def _score(camera: Camera, palette: Palette, *, wide: bool) -> Line:
    score = camera.score
    over = camera.current and score is not None and score >= 1.0
    style = palette.over + BOLD if over else palette.text
    known = camera.current and score is not None
    said = [Segment(times(score), style if known else palette.dim)]
    if wide and score is not None:
        said.append(Segment(" threshold", palette.dim))
    return said


def _flow(camera: Camera, palette: Palette) -> Line:
    status = camera.status
    old = status.frame_age_s is not None and status.frame_age_s > 2.0  # as a person notices
    age = Segment(span(status.frame_age_s), palette.tone("warn") if old else palette.dim)
    return [Segment(f"{status.fps_in:.0f} fps  ", palette.dim), age]


def draw_line(camera: Camera, frame: Frame, palette: Palette) -> Line:
    """All of it in one line, for walls with more cameras than tiles."""
    look = camera.look
    tone = palette.tone(look.tone, bold=look is ALERT)
    name = max(10, min(32, (frame.width - 32) * 3 // 5))
    fixed = 1 + 2 + 12 + name + 1 + 1 + 9
    tail = _flow(camera, palette) if camera.current else [Segment(_last(camera), palette.dim)]
    tail_cells = 18 if frame.width >= 68 else 0
    tail = tail if tail_cells else []
    room = frame.width - fixed - tail_cells
    marker = Segment("▌" if frame.selected else " ", palette.accent)
    title = palette.text + BOLD if frame.selected or look is ALERT else palette.text
    line: Line = [
        marker,
        Segment(f"{look.symbol} ", tone),
        words(look.word, tone, 12),
        words(frame.title, title, name),
        Segment(" "),
        *_between(camera, frame, palette, room),
        Segment(" "),
        words(
            times(camera.score), _score(camera, palette, wide=False)[0].style or tone, 8, right=True
        ),
        Segment(" "),
    ]
    if tail:
        line += ruled([], cut(tail, tail_cells), tail_cells, " ", palette.dim)
    return line


def _between(camera: Camera, frame: Frame, palette: Palette, room: int) -> Line:
    said = explain(camera)
    learning = camera.status.learning
    if learning is not None and camera.look.tone == "learn":
        said = f"{bar(learning.share, 8)} {learning.share:.0%} {learning.step}"
    if said:
        return [words(said, palette.tone(camera.look.tone), room)]
    return draw_curve(camera, frame.span_s, room, 1, palette)[0]
