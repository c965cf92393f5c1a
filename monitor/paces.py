"""What is to be said of the pace at which a video was scored, against that which was learned."""

from collections.abc import Iterator

import numpy as np

from monitor.clips import FASTER, gap_s
from monitor.datasets import Video
from monitor.evaluation.results import VideoScores
from monitor.model import Model

MOSTLY, PARTLY = 0.5, 0.1  # of the time; less is lost frames, as they come


def too_slow(video: Video, model: Model) -> str:
    """Why the model's clips hold nothing of a video that comes too seldom; empty: it does not."""
    longest_s = gap_s(model.rate_hz)
    if not video.rate_hz or video.rate_hz * longest_s >= 1:
        return ""
    learned = f" at {model.rate_hz:.4g} per second" if model.rate_hz else ""
    return (
        f"{video.path}: a frame every {1 / video.rate_hz:.3g} s, and {model.detector.name} learned"
        f"{learned}: its clips span {longest_s:.3g} s between two frames at most; expected footage "
        "of about that rate, or a model that learned from such as this"
    )


def pace_notes(scores: VideoScores, learned_hz: float | None) -> Iterator[str]:
    """A line where frames were passed by, and one where they came too seldom.

    By the frames that were scored: what a file says of itself is often wrong, and one mean says
    nothing of a camera that changes its pace.
    """
    if not learned_hz:
        return
    steps_s, passed = np.diff(scores.time_s), np.diff(scores.index)
    sound = (steps_s > 0) & (steps_s <= gap_s(learned_hz))
    steps_s, passed = steps_s[sound], passed[sound]
    if not len(steps_s):
        return
    slow = (passed == 1) & (steps_s * learned_hz > FASTER)
    share = float(steps_s[slow].sum() / steps_s.sum())
    if share < 1 - PARTLY:
        taken_hz, source_hz = np.array([(~slow).sum(), passed[~slow].sum()]) / steps_s[~slow].sum()
        if source_hz > FASTER * taken_hz:
            yield (
                f"{scores.name}: taken at {taken_hz:.3g} frames per second, as learned, of "
                f"{source_hz:.3g}"
            )
    learned = f"the model learned at {learned_hz:.4g}: everything looks faster"
    if share > MOSTLY:
        slow_hz = 1 / float(np.median(steps_s[slow]))
        yield f"{scores.name}: {slow_hz:.3g} frames per second, but {learned} than it is"
    elif share > PARTLY:
        yield f"{scores.name}: for {share:.0%} of the time frames come seldom, but {learned} there"
