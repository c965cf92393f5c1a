import numpy as np
import pytest

from monitor.evaluation.results import VideoScores
from monitor.paces import pace_notes


def noted(times_s: list[float], every: int = 1, learned_hz: float | None = 10) -> list[str]:
    """What is said of a video of which each `every`-th frame was scored."""
    time_s = np.array(times_s)[::every]
    index = np.arange(len(times_s))[::every]
    scores = VideoScores(
        name="v", index=index, time_s=time_s, score=np.zeros(len(index)), p_value=None, label=None
    )
    return list(pace_notes(scores, learned_hz))


def steps(*parts: tuple[int, float]) -> list[float]:
    return list(np.cumsum(np.concatenate([np.full(n, step_s) for n, step_s in parts])))


def test_thinning_is_said_where_it_was() -> None:
    assert noted(steps((300, 1 / 30)), 3) == ["v: taken at 10 frames per second, as learned, of 30"]
    assert noted(steps((300, 1 / 30))) == []
    assert noted(steps((300, 1 / 14)), 2) != []
    assert noted(steps((300, 0.1))) == noted(steps((300, 1 / 30)), 3, None) == []


@pytest.mark.parametrize(
    ("times_s", "said"),
    [
        (steps((100, 0.25)), "v: 4 frames per second, but the model learned at 10: everything"),
        (steps((70, 0.1), (12, 0.25)), "v: for 30% of the time frames come seldom, but the"),
        (steps((95, 0.1), (3, 0.25)), ""),
        (steps((3, 60.0)), ""),
    ],
)
def test_slow_footage_is_said_and_for_how_much_of_it(times_s: list[float], said: str) -> None:
    assert "".join(noted(times_s)).startswith(said)
    assert bool(noted(times_s)) is bool(said)
