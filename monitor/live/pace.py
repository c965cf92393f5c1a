"""How many cameras go into one round of scoring: as many as are scored in a moment.

A round is read at once and answered as a whole, so the longer it takes, the older are the
pictures that are scored last in it. Measures nothing itself.
"""

ROUND_S = 0.25  # half of what a picture may age before it is scored
MOST = 32
WEIGHT = 0.3  # of the newest round: three rounds follow a model that was changed


class Pace:
    """Follows what one reading costs."""

    def __init__(self) -> None:
        self._each_s = 0.0

    @property
    def limit(self) -> int:
        """Cameras in the next round, 1 at least."""
        return MOST if self._each_s <= 0 else max(1, min(MOST, int(ROUND_S / self._each_s)))

    def took(self, seconds: float, readings: int) -> None:
        """A round was answered."""
        if readings:
            each_s = seconds / readings
            self._each_s += (WEIGHT if self._each_s else 1.0) * (each_s - self._each_s)
