"""Which plots a run of scored videos gets, in which order, with which captions.

Imports matplotlib, so import this module late.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from monitor.evaluation import plots
from monitor.evaluation.baselines import clock_scores
from monitor.evaluation.metrics import FloatArray, has_both_classes
from monitor.evaluation.page import Picture
from monitor.evaluation.pictures import MissPicture, misses_sheet
from monitor.evaluation.results import Alerts, VideoScores
from monitor.names import shown
from monitor.records import MapScale

CURVES = 12  # single score curves; the overview has the others


def video_pictures(
    videos: Sequence[VideoScores],
    *,
    threshold: float | None = None,
    alerts: Alerts | None = None,
    flow: Sequence[FloatArray] | None = None,
) -> Iterator[Picture]:
    """The overview, the curves that need labels where there are any, then video by video."""
    sheet = plots.overview(videos, threshold=threshold, alerts=alerts)
    yield Picture("overview_sheet", "Score curves of all videos on one scale.", sheet)
    yield from _ranking_pictures(videos, threshold, flow)
    for video in videos[:CURVES]:
        own = (alerts or {}).get(video.name, ())
        curve = plots.score_curve(video, threshold=threshold, alerts=own)
        yield Picture(f"score_{_safe(video.name)}", f"Score over time: {video.name}.", curve)


def misses_picture(pictures: Sequence[MissPicture], scale: MapScale) -> Picture:
    """The sheet of worst misses, for the end of the gallery."""
    caption = "The frames that the score got most wrong, with what the detector saw in them."
    return Picture("misses_sheet", caption, misses_sheet(pictures, scale))


def _ranking_pictures(
    videos: Sequence[VideoScores], threshold: float | None, flow: Sequence[FloatArray] | None
) -> Iterator[Picture]:
    kept = [place for place, video in enumerate(videos) if video.label is not None]
    labels = np.concatenate(
        [np.zeros(0, np.bool_), *(v.label for v in videos if v.label is not None)]
    )
    if not has_both_classes(labels):
        return
    rules = {
        "score": np.concatenate([videos[place].score for place in kept]),
        "clock": np.concatenate([clock_scores(videos[place].time_s) for place in kept]),
    }
    if flow is not None:
        rules["flow magnitude"] = np.concatenate([flow[place] for place in kept])
    scores = rules["score"]
    yield Picture("roc", "ROC: what is found, against false alarms.", plots.roc_plot(labels, rules))
    yield Picture("pr", "Precision and recall.", plots.pr_plot(labels, rules))
    histogram = plots.histogram(labels, scores, threshold=threshold)
    yield Picture("histogram", "How the scores of the two classes overlap.", histogram)
    boxes = plots.box_plot({"normal": scores[~labels], "anomalous": scores[labels]})
    yield Picture("box_by_class", "Scores by class.", boxes)


def _safe(name: str) -> str:
    """A video's name as part of a file name."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in shown(name))
