"""Whether a camera that is seen is judged, and in one line why not.

Told of models, frames and scores; knows nothing of connections or of what the pictures show.
"""

from dataclasses import dataclass

from monitor.clips import LOST_STEPS
from monitor.live.messages import ModelLoaded
from monitor.records import same_shape

LATE_S = 30.0  # beyond what was asked for; shedding load comes first
FEWEST = 3  # frames


@dataclass(slots=True)
class Judged:
    """Of one camera. Times are of the frames' arrival (time.monotonic())."""

    refused: str = ""  # why the model will not do
    unread: str = ""  # why another model could not be read; the one of before judges on
    waits: str = ""  # for what, that comes by itself
    too_few: str = ""  # why no clip can be made of the frames that come
    late: str = ""  # there is a model, there are frames, and no score comes
    _frames: int = 0  # since the last score
    _first_s: float = 0.0
    _last_s: float = 0.0

    @property
    def fault(self) -> str:
        """Why nothing can judge it before a person helps."""
        return self.refused or self.too_few

    @property
    def told(self) -> str:
        """What a person is told of, whether or not it is judged meanwhile."""
        return self.fault or self.unread

    @property
    def why(self) -> str:
        """Why it is not judged; empty: it is."""
        return self.fault or self.waits or self.late

    def fits(self, seen: tuple[int, int], model: ModelLoaded) -> bool:
        """Whether the model learned on pictures of such a shape (height, width)."""
        learned = model.source_size
        if learned is None or same_shape(seen, learned):
            self.refused = ""
            return True
        self.refused = (
            f"the camera gives {seen[1]}x{seen[0]}, the model learned on "
            f"{learned[1]}x{learned[0]}: another shape of picture; train a model for it"
        )
        return False

    def begin(self) -> None:
        """A connection or a model is new, or pictures mean nothing: nothing is owed yet."""
        self._frames, self.too_few, self.late = 0, "", ""

    def frame(self, received_s: float) -> None:
        """A frame came that ought to be judged in its turn."""
        if not self._frames:
            self._first_s = received_s
        self._frames, self._last_s = self._frames + 1, received_s

    def scored(self) -> None:
        """A reading came."""
        self.begin()

    def look(self, rate_hz: float | None, turn_s: float) -> None:
        """Say so where no score came for too long.

        Args:
            rate_hz: Frames per second that the model learned at.
            turn_s: The longest that there may be between two scores by what was asked for.
        """
        span_s = self._last_s - self._first_s
        if self._frames < FEWEST or span_s <= LATE_S + turn_s:
            return
        apart_s = span_s / (self._frames - 1)
        if rate_hz and apart_s > LOST_STEPS / rate_hz:
            self.too_few = (
                f"frames come every {apart_s:.1f} s, the model learned at {rate_hz:g} per second: "
                "too few to be judged by it; set the camera faster, or train a model for it"
            )
        else:
            self.late = f"nothing was judged for {span_s:.0f} s; is the machine too busy?"
