"""A result of `oddwatch score` as a recording: videos as cameras, side by side.

Scores become times the threshold as everywhere: 0 is the median of what is under the threshold, 1
the threshold. Imports no Textual.
"""

import csv
import json
from collections.abc import Sequence
from datetime import timedelta
from math import isfinite
from pathlib import Path
from statistics import median

import numpy as np

from monitor.api.schema import AlertView
from monitor.errors import DataSetError
from monitor.tui.state.recording import ORIGIN, Facts, Recording, Track

MERGE_S = 10.0  # as the alert rule has it
LEAST_S = 0.5
Row = tuple[float, float | None]  # seconds, times the threshold


def read_result(folder: Path) -> Recording:
    """A folder that `oddwatch score` wrote for videos.

    Raises:
        DataSetError: It is none; the message says what is missing.
    """
    report = _report(folder / "report.json")
    threshold = report.get("threshold")
    if not isinstance(threshold, int | float):
        raise DataSetError(
            f"{folder}: its model was not calibrated, so there is no threshold to show"
        )
    groups = _read(folder / "scores.csv")
    finite = [score for rows in groups.values() for _, score in rows if isfinite(score)]
    if not finite:
        raise DataSetError(f"{folder / 'scores.csv'}: it has no scores")
    calm = [score for score in finite if score < threshold]
    if not calm:
        raise DataSetError(f"{folder}: every score is over the threshold {threshold:g}")
    typical = median(calm)
    scale = float(threshold) - typical
    notes = report.get("notes")
    told = report.get("alerts")
    tracks = [_track(name, rows, typical, scale, told) for name, rows in groups.items()]
    facts = Facts(
        detector=str(report.get("detector", "")),
        version=str(_dict(report.get("versions")).get("oddwatch", "")),
        promised_per_day=_number(report.get("false_alarm_rate_promised")),
        measured_per_day=_number(report.get("false_alarm_rate_measured")),
        notes=[str(note) for note in notes] if isinstance(notes, list) else [],
    )
    end_s = max(track.end_s for track in tracks)
    return Recording(str(folder), ORIGIN, end_s, tracks, facts, videos=True)


def _report(path: Path) -> dict[str, object]:
    try:
        return _dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataSetError(
            f"{path.parent} is no result of oddwatch score: {path.name} cannot be read"
        ) from error
    except ValueError as error:
        raise DataSetError(f"{path}: it is no JSON ({error})") from error


def _read(path: Path) -> dict[str, list[tuple[float, float]]]:
    groups: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                group = groups.setdefault(row["video"], [])
                group.append((float(row["time_s"]), float(row["score"])))
    except OSError as error:
        raise DataSetError(f"{path} cannot be read: {error.strerror or error}") from error
    except KeyError as error:
        raise DataSetError(f"{path} has no column {error}: a replay is of scored videos") from error
    except (ValueError, TypeError) as error:
        raise DataSetError(f"{path}: a cell is no number: {error}") from error
    return groups


def _track(
    name: str, raw: Sequence[tuple[float, float]], typical: float, scale: float, told: object
) -> Track:
    rows = [(at, (score - typical) / scale if isfinite(score) else None) for at, score in raw]
    rows.sort(key=lambda row: row[0])
    times = np.array([at for at, _ in rows])
    levels = np.array([np.nan if score is None else score for _, score in rows], np.float32)
    own = _told(name, told, typical, scale) if isinstance(told, list) else _outline(name, rows)
    return Track(name, times, levels, own)


def _told(name: str, told: Sequence[object], typical: float, scale: float) -> list[AlertView]:
    """Those that the alert rule raised."""
    own = [row for row in map(_dict, told) if _in_tables(row.get("video")) == name]
    return [_raised(name, number, row, typical, scale) for number, row in enumerate(own)]


def _in_tables(name: object) -> str:
    """A name as CSV has it, where an escape stays one: JSON reads it back as the byte it was."""
    return str(name).encode(errors="backslashreplace").decode()


def _raised(
    name: str, number: int, row: dict[str, object], typical: float, scale: float
) -> AlertView:
    start_s, end_s, peak_s, peak = (
        _number(row.get(key)) or 0.0 for key in ("start_s", "end_s", "peak_s", "peak_score")
    )
    return AlertView(
        id=f"{name}-{number}",
        camera=name,
        phase="end",
        revision=2,
        started_at=ORIGIN + timedelta(seconds=start_s),
        ended_at=ORIGIN + timedelta(seconds=end_s),
        peak_at=ORIGIN + timedelta(seconds=peak_s),
        strength=(peak - typical) / scale,
        p_value=_number(row.get("peak_p_value")),
        reason=str(row.get("reason") or ""),
        ended_by=str(row.get("ended_by") or ""),
    )


def _outline(name: str, rows: Sequence[Row]) -> list[AlertView]:
    """Stretches over the threshold, short gaps merged: of a result that does not tell alerts."""
    found: list[list[Row]] = []
    for at, score in rows:
        if score is None or score < 1:
            continue
        if found and at - found[-1][-1][0] <= MERGE_S:
            found[-1].append((at, score))
        else:
            found.append([(at, score)])
    kept = [stretch for stretch in found if stretch[-1][0] - stretch[0][0] >= LEAST_S]
    return [_alert(name, number, stretch) for number, stretch in enumerate(kept)]


def _alert(name: str, number: int, stretch: Sequence[Row]) -> AlertView:
    peak = max(stretch, key=lambda row: row[1] or 0.0)
    return AlertView(
        id=f"{name}-{number}",
        camera=name,
        phase="end",
        revision=2,
        started_at=ORIGIN + timedelta(seconds=stretch[0][0]),
        ended_at=ORIGIN + timedelta(seconds=stretch[-1][0]),
        peak_at=ORIGIN + timedelta(seconds=peak[0]),
        strength=peak[1],
        reason="over the threshold in the replay",
    )


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
