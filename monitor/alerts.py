"""Readings in, alerts out: one camera's readings become alerts with a beginning and an end.

Time is the source's clock only, so a replayed file raises what the camera would have raised.
Knows nothing of stores, notices or pictures.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Literal

from ulid import ULID

from monitor.alert_rule import AlertRule, Level, LevelMeter, judge_step, smooth
from monitor.records import Alert, EndedBy, Phase, Reading

__all__ = ["AlertRule", "AlertStage", "raise_alerts", "smooth"]

PART = "part/"  # terms that start with it are a part's surprise, -log10 of its p-value
QUIET_AFTER_NEWS_S = 1.0  # a rising peak is told at most once a second


def raise_alerts(
    readings: Iterable[Reading],
    rule: AlertRule,
    *,
    source: str,
    id_factory: Callable[[], str] = lambda: str(ULID()),
) -> Iterator[Alert]:
    """Turn one source's readings, in order, into phases of alerts.

    Every alert is "new" once, then "update" any number of times, then "end" once; alerts of a
    source do not overlap. What is open when the readings end, ends with "end_of_source".
    """
    stage = AlertStage(rule, source=source, id_factory=id_factory)
    for reading in readings:
        yield from stage.feed(reading)
    yield from stage.close()


@dataclass(slots=True)
class _Open:
    """The alert in progress."""

    id: str
    start_s: float
    end_s: float  # last reading over `exit`
    peak: Reading
    continues: str
    revision: int = 0
    told_s: float = -inf  # when the last phase was given out
    quiet: bool = False  # under `exit` for `cutoff_s`: waits whether a new rise belongs to it


@dataclass(slots=True)
class _Stretch:
    """What one unbroken run of readings has told so far."""

    meter: LevelMeter
    ready_s: float  # end of the warm-up
    epoch: int
    last_s: float
    recent: deque[Reading] = field(default_factory=deque)  # of the rule's window


class AlertStage:
    """The alert rule at work on one source, a reading at a time."""

    def __init__(
        self,
        rule: AlertRule,
        *,
        source: str,
        id_factory: Callable[[], str] = lambda: str(ULID()),
    ) -> None:
        self._rule = rule
        self._source = source
        self._id_factory = id_factory
        self._stretch: _Stretch | None = None
        self._open: _Open | None = None
        self._free_s = -inf  # when the last one was split: the next starts no earlier
        self._split_from = ""
        self.level = -inf  # that the newest reading brought about; over `enter`, an alert is due

    def feed(self, reading: Reading) -> list[Alert]:
        """Take the next reading; one that is late or whose score is not finite is passed over."""
        if not isfinite(reading.score):
            return []
        told: list[Alert] = []
        stretch = self._stretch
        step = "next" if stretch is None else _judge(reading, stretch, self._rule)
        if step == "late":
            return []
        if step != "next":
            told += self.close(step)
        if stretch is None or step != "next":
            stretch = self._stretch = self._start_stretch(reading)
        now = stretch.meter.feed(reading.score, reading.frame.time_s)
        self.level = now.level
        self._remember(stretch, reading)
        if self._open is not None:
            told += self._carry_on(self._open, reading, now, stretch)
        if self._open is None:
            told += self._try_open(now, stretch)
        return told

    def close(self, ended_by: EndedBy = "end_of_source") -> list[Alert]:
        """End what is open; the next reading starts anew, with a warm-up."""
        self._stretch = None
        told = self._end(ended_by)
        self._free_s, self._split_from = -inf, ""
        return told

    def _start_stretch(self, reading: Reading) -> _Stretch:
        start_s = reading.frame.time_s
        meter = LevelMeter(self._rule)
        return _Stretch(meter, start_s + self._rule.warmup_s, reading.frame.epoch, start_s)

    def _remember(self, stretch: _Stretch, reading: Reading) -> None:
        stretch.last_s = reading.frame.time_s
        stretch.recent.append(reading)
        while stretch.recent[0].frame.time_s < stretch.last_s - self._rule.window_s:
            stretch.recent.popleft()

    def _try_open(self, now: Level, stretch: _Stretch) -> list[Alert]:
        if now.level <= self._rule.enter or now.time_s < stretch.ready_s:
            return []
        start_s = max(stretch.meter.first_over(self._rule.enter), self._free_s)
        since = [reading for reading in stretch.recent if reading.frame.time_s >= start_s]
        peak = max(since, key=lambda reading: reading.score)
        if peak.score <= self._rule.enter:  # only the past, of a split or warm-up, was over it
            return []
        goes_on = start_s - self._free_s < self._rule.merge_s
        split_from, self._split_from = self._split_from if goes_on else "", ""
        self._open = _Open(self._id_factory(), start_s, now.time_s, peak, split_from)
        return [self._tell(self._open, "new", now.time_s)]

    def _carry_on(
        self, alert: _Open, reading: Reading, now: Level, stretch: _Stretch
    ) -> list[Alert]:
        if now.time_s - alert.end_s >= self._rule.merge_s:
            return self._end("")
        news = self._follow(alert, reading, now, stretch)
        if not alert.quiet and now.time_s - alert.start_s >= self._rule.max_s:
            self._split_from, self._free_s = alert.id, now.time_s
            return self._end("max_length")
        waited_s = now.time_s - alert.told_s
        due = waited_s >= self._rule.update_s and alert.end_s == now.time_s
        if due or (news and waited_s >= QUIET_AFTER_NEWS_S):
            return [self._tell(alert, "update", now.time_s)]
        return []

    def _follow(self, alert: _Open, reading: Reading, now: Level, stretch: _Stretch) -> bool:
        """Move the alert's end and peak; tell whether that is news: a new peak or a return."""
        if alert.quiet:
            if now.level <= self._rule.enter or now.smoothed < self._rule.exit:
                return False
            since = [item for item in stretch.recent if item.frame.time_s > alert.end_s]
            alert.peak = max(alert.peak, *since, key=lambda item: item.score)
            alert.end_s, alert.quiet = now.time_s, False
            return True
        if now.smoothed < self._rule.exit:
            alert.quiet = now.time_s - alert.end_s >= self._rule.cutoff_s
            return False
        alert.end_s = now.time_s
        grown = reading.score > alert.peak.score
        alert.peak = reading if grown else alert.peak
        return grown

    def _end(self, ended_by: EndedBy) -> list[Alert]:
        alert, self._open = self._open, None
        return [] if alert is None else [self._tell(alert, "end", alert.end_s, ended_by)]

    def _tell(self, alert: _Open, phase: Phase, time_s: float, ended_by: EndedBy = "") -> Alert:
        alert.revision += 1
        alert.told_s = time_s
        peak = alert.peak
        return Alert(
            id=alert.id,
            source=self._source,
            phase=phase,
            revision=alert.revision,
            start_s=alert.start_s,
            end_s=alert.end_s,
            peak_s=peak.frame.time_s,
            peak_score=peak.score,
            peak_p_value=peak.p_value,
            reason=most_surprised(peak.terms),
            ended_by=ended_by,
            continues=alert.continues,
        )


def _judge(
    reading: Reading, stretch: _Stretch, rule: AlertRule
) -> Literal["next", "late", "gap", "clock", "reconnect"]:
    if reading.frame.epoch != stretch.epoch:
        return "reconnect"
    return judge_step(stretch.last_s, reading.frame.time_s, rule.max_gap_s)


def most_surprised(terms: Mapping[str, float]) -> str:
    """Name of the part with the highest surprise; empty where no term is a part's."""
    parts = {name: value for name, value in terms.items() if name.startswith(PART)}
    return max(parts, key=parts.__getitem__).removeprefix(PART) if parts else ""
