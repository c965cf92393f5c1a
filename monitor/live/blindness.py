"""Whether a camera sees: dark, bright, covered, frozen, moved, blurred; and what is not motion.

Judges the numbers that the capture worker measures of each picture. Learns the camera's own
levels from pictures that nothing is wrong with, by day and by infrared apart; never from others.
Knows no pictures, no scores, no clock.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from monitor.capture.records import PictureStats
from monitor.live.health import Closed, HealthNews, Opened
from monitor.live.sight_levels import Levels, focus


@dataclass(frozen=True, slots=True)
class BlindnessSettings:
    """Limits on gray levels (0 to 255), shares (0 to 1) and spans in seconds."""

    dark_mean: float = 20.0  # and
    dark_std: float = 6.0  # a night with one lamp in it has more than that
    bright_mean: float = 235.0
    bright_std: float = 12.0
    covered_std: float = 4.0  # a hand or a cap; fog leaves about 10
    covered_share: float = 0.15  # of the usual deviation
    covered_edges: float = 0.5  # of the usual share of edges that are still there
    frozen_change: float = 0.0  # gray levels; encoders repeat exactly what stands still
    frozen_pictures: int = 10  # at least, of a camera that sends few
    frozen_s: float = 60.0  # a group of pictures lasts 10 s, and more where cameras save bits
    frozen_times: float = 3.0  # the longest repeat that went over by itself
    moved_edges: float = 0.4  # of the usual share
    blurred_focus: float = 0.35  # of the usual focus
    hard_s: float = 5.0  # dark, bright, covered for so long
    soft_s: float = 15.0  # moved, blurred: a lorry before the lens drives on
    clear_s: float = 3.0  # well again for so long
    light_jump: float = 15.0  # gray levels of the mean, within
    light_span_s: float = 1.0
    light_motion: float = 0.5  # share of the picture
    light_s: float = 3.0  # automatic exposure settles in about two
    connected_s: float = 2.0  # so does that of a camera that was switched on just now
    longest_light_s: float = 10.0  # a flashing light must not blind the monitor for good
    infrared_below: float = 2.5  # saturation: gray pictures are at 0, gray asphalt by day at 4
    infrared_above: float = 6.0
    infrared_s: float = 2.0
    settle_s: float = 10.0  # after the filter has switched, exposure and gain wander


@dataclass(frozen=True, slots=True)
class Sight:
    """What the newest picture is good for."""

    blind: str = ""  # the health kind; empty: it sees
    since_s: float = 0.0  # of `blind` as it is
    suspended: bool = False  # neither score nor learn: blind, about to be, or exposure settles
    lighting: bool = False  # the light changed: this frame's motion is none
    infrared: bool = False
    why: str = ""  # of `suspended`, one line
    news: tuple[HealthNews, ...] = ()


TEXTS = {
    "dark": "the picture is black",
    "bright": "the picture is white",
    "covered": "the lens is covered: there is next to nothing in the picture",
    "frozen": "the same picture again and again",
    "moved": "the camera looks elsewhere than it used to",
    "blurred": "the picture is blurred",
}
HARD = ("dark", "bright", "covered")  # suspected is enough to suspend


class _Debounce:
    """On when it was so for `on_s`, off when it was not for `off_s`."""

    def __init__(self, on_s: float, off_s: float) -> None:
        self._spans_s = {False: on_s, True: off_s}
        self.on = False
        self._since_s: float | None = None  # when the contrary began

    def feed(self, now_s: float, *, so: bool) -> None:
        if so == self.on:
            self._since_s = None
            return
        self._since_s = now_s if self._since_s is None else self._since_s
        if now_s - self._since_s >= self._spans_s[self.on]:
            self.on, self._since_s = so, None

    def reset(self) -> None:
        """Forget what was about to happen."""
        self._since_s = None


class Blindness:
    """Follows the pictures of one camera, each once, in order."""

    def __init__(self, settings: BlindnessSettings | None = None) -> None:
        self._settings = settings or BlindnessSettings()
        hard_s, soft_s, clear_s = (
            self._settings.hard_s,
            self._settings.soft_s,
            self._settings.clear_s,
        )
        self._debounces = {  # in the order of what explains the others
            **{kind: _Debounce(hard_s, clear_s) for kind in HARD},
            "frozen": _Debounce(0.0, 0.0),  # has a clock of its own; what moves is looked at
            "moved": _Debounce(soft_s, clear_s),
            "blurred": _Debounce(soft_s, clear_s),
        }
        self._checks: dict[str, Callable[[PictureStats, float], bool]] = {
            "dark": self._is_dark,
            "bright": self._is_bright,
            "covered": self._is_covered,
            "frozen": self._is_frozen,
            "moved": self._is_moved,
            "blurred": self._is_blurred,
        }
        self._repeats = _Repeats(self._settings)
        self._light = _Light(self._settings)
        self._infrared: _Debounce | None = None  # None: not known yet
        self._infrared_told = False
        self._settled_s = -inf
        self._blind, self._since_s = "", 0.0
        self.relearn()

    def relearn(self) -> None:
        """Forget what the camera usually shows: from now on this is its view."""
        self._levels = {False: Levels(), True: Levels()}  # by day, by infrared

    def reconnected(self, now_s: float) -> None:
        """The last picture and the next are not neighbours; the camera's levels stay."""
        self._repeats.restart()
        self._light.restart()
        for debounce in self._debounces.values():
            debounce.reset()
        self._settled_s = max(self._settled_s, now_s + self._settings.connected_s)

    def feed(self, stats: PictureStats, now_s: float) -> Sight:
        """Take the next picture's numbers."""
        news: list[HealthNews] = []
        lighting = self._light.feed(stats, now_s)
        self._repeats.feed(stats, now_s)
        suspects = [kind for kind, check in self._checks.items() if check(stats, now_s)]
        for kind, debounce in self._debounces.items():
            debounce.feed(now_s, so=kind in suspects)
        if not any(kind in HARD for kind in suspects):
            news += self._follow_infrared(stats, now_s)
        news += self._change_blind(now_s)
        why = self._why(suspects, now_s)
        if not why and not suspects and not lighting:
            self._levels[self._by_infrared].learn(stats, now_s)
        return Sight(
            blind=self._blind,
            since_s=self._since_s,
            suspended=bool(why),
            lighting=lighting,
            infrared=self._by_infrared,
            why=why,
            news=tuple(news),
        )

    @property
    def _by_infrared(self) -> bool:
        return self._infrared is not None and self._infrared.on

    @property
    def _usual(self) -> Levels:
        return self._levels[self._by_infrared]

    def _why(self, suspects: list[str], now_s: float) -> str:
        if self._blind:
            return TEXTS[self._blind]
        if any(kind in HARD for kind in suspects):
            return f"perhaps {suspects[0]}"
        if now_s < self._settled_s:
            return "the exposure settles"
        return "the light changed" if self._light.suspends(now_s) else ""

    def _change_blind(self, now_s: float) -> list[HealthNews]:
        blind = next((kind for kind, it in self._debounces.items() if it.on), "")
        if blind == self._blind:
            return []
        news: list[HealthNews] = [Closed(self._blind)] if self._blind else []
        self._blind, self._since_s = blind, now_s
        return [*news, Opened(blind, "warning", TEXTS[blind])] if blind else news

    def _follow_infrared(self, stats: PictureStats, now_s: float) -> list[HealthNews]:
        below, above = self._settings.infrared_below, self._settings.infrared_above
        if self._infrared is None:  # a gray camera, or one that starts at night: no news
            self._infrared = _Debounce(self._settings.infrared_s, self._settings.infrared_s)
            self._infrared.on = stats.saturation < below
            return []
        was = self._infrared.on
        self._infrared.feed(now_s, so=stats.saturation < (above if was else below))
        if self._infrared.on == was:
            return []
        self._settled_s = now_s + self._settings.settle_s
        self._debounces["moved"].reset()
        self._debounces["blurred"].reset()
        told, self._infrared_told = self._infrared_told, not was
        if was:
            return [Closed("infrared")] if told else []
        return [Opened("infrared", "info", "the camera sees by infrared now")]

    def _is_dark(self, stats: PictureStats, _now_s: float) -> bool:
        return stats.mean < self._settings.dark_mean and stats.std < self._settings.dark_std

    def _is_bright(self, stats: PictureStats, _now_s: float) -> bool:
        return stats.mean > self._settings.bright_mean and stats.std < self._settings.bright_std

    def _is_covered(self, stats: PictureStats, now_s: float) -> bool:
        if self._is_dark(stats, now_s) or self._is_bright(stats, now_s):
            return False
        if stats.std < self._settings.covered_std:
            return True
        usual = self._usual
        return (
            usual.learned
            and stats.std < self._settings.covered_share * usual.std
            and stats.edges < self._settings.covered_edges * usual.edges
        )

    def _is_frozen(self, _stats: PictureStats, now_s: float) -> bool:
        return self._repeats.frozen(now_s)

    def _is_moved(self, stats: PictureStats, now_s: float) -> bool:
        return (
            self._usual.learned
            and stats.edges < self._settings.moved_edges * self._usual.edges
            and not self._is_blurred(stats, now_s)
        )

    def _is_blurred(self, stats: PictureStats, now_s: float) -> bool:
        if self._is_dark(stats, now_s) or self._is_covered(stats, now_s):
            return False
        return (
            self._usual.learned and focus(stats) < self._settings.blurred_focus * self._usual.focus
        )


class _Repeats:
    """How long the very same picture came, held against what this camera does by itself."""

    def __init__(self, settings: BlindnessSettings) -> None:
        self._settings = settings
        self._since_s: float | None = None  # of the first picture of the run
        self._pictures = 0  # of the run
        self._longest_s = 0.0  # a run that went over by itself before it was taken for frozen

    @property
    def _limit_s(self) -> float:
        return max(self._settings.frozen_s, self._settings.frozen_times * self._longest_s)

    def feed(self, stats: PictureStats, now_s: float) -> None:
        """Take the next picture."""
        self._pictures += 1
        if stats.change <= self._settings.frozen_change and self._since_s is not None:
            return
        if self._since_s is not None:
            run_s = now_s - self._since_s
            if run_s < self._settings.frozen_s:
                self._longest_s = max(self._longest_s, run_s)
        self._since_s, self._pictures = now_s, 1

    def frozen(self, now_s: float) -> bool:
        """Whether it has come for too long."""
        if self._since_s is None or self._pictures < self._settings.frozen_pictures:
            return False
        return now_s - self._since_s >= self._limit_s

    def restart(self) -> None:
        """The next picture is the first."""
        self._since_s = None


class _Light:
    """Finds the moments at which the light in most of the picture changed at once."""

    def __init__(self, settings: BlindnessSettings) -> None:
        self._settings = settings
        self._means: deque[tuple[float, float]] = deque()  # time, mean; of the last second
        self._until_s = -inf
        self._first_s = -inf  # of the switches that followed one another

    def feed(self, stats: PictureStats, now_s: float) -> bool:
        """Whether this picture's motion is the light's."""
        while len(self._means) > 1 and self._means[0][0] < now_s - self._settings.light_span_s:
            self._means.popleft()
        jump = max((abs(stats.mean - mean) for _, mean in self._means), default=0.0)
        self._means.append((now_s, stats.mean))
        if jump < self._settings.light_jump or stats.motion < self._settings.light_motion:
            return False
        if now_s >= self._until_s + self._settings.longest_light_s:
            self._first_s = now_s
        last_s = self._first_s + self._settings.longest_light_s
        self._until_s = max(self._until_s, min(now_s + self._settings.light_s, last_s))
        return True

    def suspends(self, now_s: float) -> bool:
        """Whether the picture still settles."""
        return now_s < self._until_s

    def restart(self) -> None:
        """The next picture has no neighbour."""
        self._means.clear()
