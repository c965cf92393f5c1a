"""`oddwatch calibrate --from-labels`: what people said of alerts raises a model's threshold."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.cli.events import DATABASE
from monitor.errors import CalibrationError, SourceNotFoundError, UsageError

if TYPE_CHECKING:
    from monitor.model import Model
    from monitor.recalibration import Labels
    from monitor.store import Labelled

Told = tuple[list[str], dict[str, Any] | None, str]  # lines, for programs, the next command
LONGEST_WATCHED_S = 100_000 * 86_400.0  # of all cameras together: 100 of them for years
SHOWN = 10  # true alerts that would be lost, by name; more are counted


@dataclass(frozen=True)
class FromLabels:
    """Where labels are taken from, and which."""

    place: str  # folder of an engine, database file or URL
    camera: str | None
    watched: str | None  # a span, such as "3 d"


def calibrate_from_labels(model: "Model", file: Path, out: Path, wanted: FromLabels) -> Told:
    """Raise the threshold of `model`, which was read from `file`, and write it to `out`.

    Raises:
        MonitorError: There is no store, no label that counts, or nobody knows how long was watched.
    """
    from monitor.files import digest_of
    from monitor.model import check_writable, save_model
    from monitor.recalibration import lost, raise_by_labels, sort_labels

    calibration = model.calibrated()
    digest = digest_of(file)
    check_writable(out)
    said, unlabelled = _labels(wanted, digest)
    labels = sort_labels(said, digest, wanted.camera)
    if not labels.normal:
        raise CalibrationError(
            f"{_without_password(wanted.place)}: no alert of {file} is called normal_here"
            f"{_say_left_out(labels)}; label some in oddwatch tui, or with oddwatch events label"
        )
    found = raise_by_labels(calibration, labels.normal, _watched_s(wanted, digest))
    gone = lost(labels, found.rule.enter)
    before, after = calibration.rule.enter, found.rule.enter
    factor = (after - calibration.median) / (before - calibration.median)
    raised_by = factor * model.provenance.get("raised_by", 1.0)
    provenance = model.provenance | {"raised_by": raised_by}
    save_model(replace(model, calibration=found, provenance=provenance), out)
    lines = [
        f"threshold {before:.4g} -> {after:.4g}, for {found.promised_per_day:g} false alarms per "
        "day of each camera",
        *(f"  {note}" for note in found.notes),
        f"  labels: {len(labels.normal)} normal taken{_say_left_out(labels)}",
        *([f"  {unlabelled} more of this model are not labelled: not taken"] if unlabelled else []),
        *_say_lost(gone, len(labels.true)),
    ]
    plain = found.to_dict() | {
        "before": before,
        "labels": len(labels.normal),
        "left_out": labels.left_out,
        "unlabelled": unlabelled,
        "true": len(labels.true),
        "lost": [one.alert_id for one in gone],
    }
    del plain["scores"]
    then = f"kill -HUP the engine, so that it reads {shlex.quote(str(out))} again"
    return lines, plain, then


def _labels(wanted: FromLabels, digest: str) -> "tuple[list[Labelled], int]":
    """All that people said; of how many alerts of this model they said nothing."""
    from monitor.store import AlertQuery, Store

    where = place = wanted.place
    if "://" not in place:
        path = Path(place)
        file = path / DATABASE if path.is_dir() else path
        if not file.is_file():
            raise SourceNotFoundError(
                f"{place}: expected the folder of an engine, with {DATABASE} in it, or a database"
            )
        where = str(file)
    with Store(where, read_only=True) as store:
        silent = store.find(AlertQuery(labelled=False, source=wanted.camera), limit=None)
        return store.labelled(), sum(one.model_digest == digest for one in silent)


def _watched_s(wanted: FromLabels, digest: str) -> float:
    """By the user's word, else by the engine's own count."""
    from monitor.config.spans import parse_span
    from monitor.live.watched import FILE, read_watched, watched_s

    if wanted.watched is not None:
        try:
            return parse_span(wanted.watched, LONGEST_WATCHED_S)
        except ValueError as error:
            raise UsageError(f"--watched {wanted.watched!r}: {error}") from None
    if "://" not in wanted.place:
        path = Path(wanted.place)
        noted = read_watched((path if path.is_dir() else path.parent) / FILE)
        cameras = None if wanted.camera is None else [wanted.camera]
        seconds = watched_s(noted, digest, cameras)
        if seconds > 0:
            return seconds
    raise UsageError(
        "nobody noted how long this model has watched: give --watched, such as --watched '3 d' "
        "(of several cameras, all their time together)"
    )


def _say_left_out(labels: "Labels") -> str:
    said = ", ".join(f"{count} {why}" for why, count in labels.left_out.items())
    return f"; left out: {said}" if said else ""


def _say_lost(gone: "list[Labelled]", true: int) -> list[str]:
    if not gone:
        return [f"  all {true} alerts called true would still be raised"] if true else []
    lines = [f"  {len(gone)} of {true} alerts called true would NO LONGER be raised:"]
    lines += [
        f"    {one.alert_id}  {one.source}  {one.started_at:%Y-%m-%d %H:%M:%S} UTC"
        f"  level {one.peak_level:.4g}"
        for one in gone[:SHOWN]
    ]
    return lines + ([f"    and {len(gone) - SHOWN} more"] if len(gone) > SHOWN else [])


def _without_password(place: str) -> str:
    from monitor.store_schema import without_password

    return without_password(place) if "://" in place else place
