"""What evaluation takes, and its files: `scores.csv`, `terms.csv` and `alerts.csv` beside it.

Floats are written in their shortest exact form, so figures recomputed from the files are the
report's own, but for those of events: where they begin between scored frames only labels tell.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.errors import DataSetError, LabelError
from monitor.evaluation.metrics import BoolArray, FloatArray
from monitor.records import Alert

COLUMNS = ("video", "frame", "time_s", "score", "p_value", "label")
ALERT_COLUMNS = (
    "video", "start_s", "end_s", "peak_s", "peak_score", "peak_p_value", "reason", "ended_by",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of one video that is labelled anomalous, its first and its last frame."""

    start_s: float
    end_s: float


Alerts = Mapping[str, Sequence[Alert]]  # by video, each in its last phase


@dataclass(frozen=True, slots=True, eq=False)
class VideoScores:
    """The scored frames of one video, in order of time.

    Raises:
        LabelError: `label` is not bool, or not as long as the scores.
        DataSetError: Another array is not as long as the scores, or there are none.
    """

    name: str
    index: NDArray[np.integer]  # (N,) which frame of the video, from 0
    time_s: FloatArray  # (N,)
    score: FloatArray  # (N,) raw, higher is more anomalous
    p_value: FloatArray | None = None  # (N,) None before calibration
    label: BoolArray | None = None  # (N,) True = anomalous; None where unlabelled
    terms: Mapping[str, FloatArray] = field(default_factory=dict)  # (N,) each, as `score`
    level: FloatArray | None = None  # (N,) the smoothed score that the alert rule compares
    events: tuple[Event, ...] | None = None  # of all frames, scored or not; None: see `label`

    def __post_init__(self) -> None:
        shape = np.shape(self.index)
        if len(shape) != 1 or not shape[0]:
            raise DataSetError(f"{self.name}: expected (N,) scored frames, got {shape}")
        if self.label is not None and (self.label.shape != shape or self.label.dtype != np.bool_):
            found = f"{self.label.shape} {self.label.dtype}"
            raise LabelError(f"{self.name}: expected {shape} bool labels, got {found}")
        own = {"time_s": self.time_s, "score": self.score, "p_value": self.p_value}
        named: dict[str, FloatArray | None] = {**own, "level": self.level, **self.terms}
        for name, values in named.items():
            if values is not None and values.shape != shape:
                raise DataSetError(f"{self.name}: {name} is {values.shape}, expected {shape}")


def score_tables(videos: Sequence[VideoScores]) -> dict[str, str]:
    """The text of `scores.csv`, and of `terms.csv` where a video has terms.

    A cell is empty where there is no p-value, label or term.
    """
    scores = csv_table(COLUMNS, (row for video in videos for row in _rows(video)))
    names = sorted({name for video in videos for name in video.terms})
    if not names:
        return {"scores.csv": scores}
    rows = (row for video in videos for row in _term_rows(video, names))
    return {"scores.csv": scores, "terms.csv": csv_table(("video", "frame", *names), rows)}


def alert_rows(alerts: Alerts) -> list[dict[str, float | str | None]]:
    """A row for each alert, of one video after the other, by `ALERT_COLUMNS`.

    An id is in none: the same footage gives the same rows.
    """
    return [
        {"video": name, **{column: getattr(alert, column) for column in ALERT_COLUMNS[1:]}}
        for name, own in alerts.items()
        for alert in own
    ]


def alert_tables(alerts: Alerts | None) -> dict[str, str]:
    """The text of `alerts.csv`; no file where no alert rule ran."""
    if alerts is None:
        return {}
    rows = ([*row.values()] for row in alert_rows(alerts))
    return {"alerts.csv": csv_table(ALERT_COLUMNS, rows)}


def read_scores_csv(path: Path) -> list[VideoScores]:
    """The videos of written `score_tables`, with their terms; the same floats to the bit.

    Raises:
        OSError: The file cannot be read.
        DataSetError: The columns are not `COLUMNS`, a cell is no number, or `terms.csv` does
            not list the same frames.
    """
    rows = _read_table(path)
    if rows and tuple(rows[0]) != COLUMNS:
        raise DataSetError(f"{path}: expected the columns {','.join(COLUMNS)}, got {list(rows[0])}")
    terms_path = path.with_name("terms.csv")
    terms = _read_table(terms_path) if terms_path.exists() else [{} for _ in rows]
    frames = [(row["video"], row["frame"]) for row in rows]
    if any(terms) and frames != [(row["video"], row["frame"]) for row in terms]:
        raise DataSetError(f"{terms_path}: does not list the frames of {path.name}")
    pairs = groupby(zip(rows, terms, strict=True), key=lambda pair: pair[0]["video"])
    try:
        return [_video(name, list(group)) for name, group in pairs]
    except ValueError as error:
        raise DataSetError(f"{path}: a cell is not a number: {error}") from error


Row = dict[str, str]


def _video(name: str, pairs: Sequence[tuple[Row, Row]]) -> VideoScores:
    rows, terms = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    label = _optional(rows, "label")
    return VideoScores(
        name=name,
        index=np.array([int(row["frame"]) for row in rows]),
        time_s=np.array([float(row["time_s"]) for row in rows]),
        score=np.array([float(row["score"]) for row in rows]),
        p_value=_optional(rows, "p_value"),
        label=None if label is None else label.astype(bool),
        terms=_terms(terms),
    )


def _terms(rows: Sequence[Row]) -> dict[str, FloatArray]:
    columns = {name: _optional(rows, name) for name in rows[0] if name not in COLUMNS}
    return {name: values for name, values in columns.items() if values is not None}


def _optional(rows: Sequence[Row], column: str) -> FloatArray | None:
    cells = [row[column] for row in rows]
    return np.array([float(cell) for cell in cells]) if all(cells) else None


def _read_table(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def csv_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The text of a file with a line of columns, then the rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _rows(video: VideoScores) -> Iterator[Sequence[object]]:
    labels = None if video.label is None else video.label.astype(int)
    columns = (video.index, video.time_s, video.score, video.p_value, labels)
    return _zipped(video, columns)


def _term_rows(video: VideoScores, names: Sequence[str]) -> Iterator[Sequence[object]]:
    return _zipped(video, (video.index, *(video.terms.get(name) for name in names)))


def _zipped(
    video: VideoScores, columns: Iterable[NDArray[np.generic] | None]
) -> Iterator[Sequence[object]]:
    """Rows of plain numbers; `tolist` turns float32 into the float64 of the same value."""
    n = len(video.index)
    cells = [[""] * n if column is None else column.tolist() for column in columns]
    return zip([video.name] * n, *cells, strict=True)
