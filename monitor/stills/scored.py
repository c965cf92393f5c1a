"""Scoring a set of stills: every test picture judged, then figures, tables, pictures.

Holds what was said of all pictures, but pictures and maps of one batch only.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path

from monitor.computed import Computed
from monitor.errors import DataSetError, SourceError
from monitor.evaluation.page import drawable, write_report
from monitor.evaluation.pixels import PixelFigures
from monitor.evaluation.report import Report, RunFacts
from monitor.files import check_folder, same_place
from monitor.model import versions
from monitor.progress import Progress, quiet
from monitor.runtimes import computed_by
from monitor.scoring import parameters_of
from monitor.stills.apart import learned_among
from monitor.stills.gallery import still_pictures
from monitor.stills.judging import Judged, judged
from monitor.stills.maps import StillMaps
from monitor.stills.model import StillModel
from monitor.stills.page import still_parts
from monitor.stills.report import StillFacts, still_report
from monitor.stills.results import still_tables
from monitor.stills.still import StillSet

log = logging.getLogger(__name__)

NOTED = 5  # lines on pictures that are left out; the count has them all


@dataclass(frozen=True, eq=False)
class ScoredStills:
    """What came of a set."""

    found: tuple[Judged, ...]  # without maps, in the order of the set
    pixels: PixelFigures | None  # None: there are no masks
    seconds: float  # of reading and judging
    notes: tuple[str, ...] = field(default=())
    computed: frozenset[Computed] = frozenset()

    @property
    def scored(self) -> list[Judged]:
        """Those that have a score."""
        return [one for one in self.found if one.score is not None and isfinite(one.score)]


def score_stills(  # noqa: PLR0913
    model: StillModel,
    data: StillSet,
    out: Path,
    *,
    command: str = "",
    pictures: bool = True,
    strict: bool = False,
    progress: Progress = quiet,
) -> Report:
    """Judge a set's test pictures, all where it has none, and write the results into `out`.

    Writes `scores.csv` (path,score,p_value,verdict,label), `terms.csv`, `report.json`,
    `report.html` and its pictures; nothing if judging fails.

    Args:
        model: Fitted; without calibration there are no verdicts and no p-values.
        data: A picture that cannot be read, or is of a shape that was not learned, is noted in the
            report and does not lose the others.
        out: A folder; made where it is missing.
        command: That does it again, for the report.
        pictures: Draw plots and take second looks.
        strict: Raise at such a picture.
        progress: Called as pictures are judged.

    Raises:
        DataSetError: If there is no picture.
        SourceError: If no picture can be judged, or one cannot and it is `strict`.
        StoreError: If the results cannot be written.
    """
    new = not out.exists()
    check_folder(out)
    try:
        scored = judge_set(model, data, strict=strict, progress=progress)
    except BaseException:
        if new:
            with suppress(OSError):
                out.rmdir()
        raise
    report = report_of(model, data, scored, command)
    rules = tuple(report.table("rules")) or ("score",)
    said = list[str]()
    looks = still_pictures(scored.scored, model, rules) if pictures else iter(())
    drawn = list(drawable(looks, said))
    report = Report({**report.figures, "notes": [*report.texts("notes"), *said]})
    write_report(out, report, drawn, still_parts(report), still_tables(scored.found))
    return report


def judge_set(
    model: StillModel, data: StillSet, *, strict: bool = False, progress: Progress = quiet
) -> ScoredStills:
    """Every test picture judged, all pictures where there is no test split.

    Raises:
        DataSetError: If there is no picture.
        SourceError: If no picture can be judged, or one cannot and it is `strict`.
    """
    stills = data.test or data.train
    if not stills:
        raise DataSetError(f"{data.root}: there is no picture to score")
    maps, clock = StillMaps(stills), _Clock()
    found: list[Judged] = []
    for one in clock.time(judged(stills, model, strict=strict)):
        maps.add(one)
        found.append(replace(one, map=None))
        progress("scoring", len(found), len(stills))
    lost = [one for one in found if one.score is None]
    if len(lost) == len(found):
        done = "read" if lost[0].size is None else "judged"
        raise SourceError(f"none of {len(found)} pictures can be {done}, such as: {lost[0].why}")
    notes = [*_opening_notes(model, data), *_lost_notes(found), *maps.notes()]
    by = computed_by(model.detector)
    return ScoredStills(tuple(found), maps.figures(), clock.seconds, tuple(notes), by)


def report_of(model: StillModel, data: StillSet, scored: ScoredStills, command: str = "") -> Report:
    """The figures of judged pictures."""
    calibration = model.calibration
    notes = list(scored.notes)
    if calibration is not None:
        notes += [f"calibration: {text}" for text in calibration.notes]
    run = RunFacts(
        detector=model.detector.name,
        preset=model.preset,
        computed=scored.computed,
        seed=model.provenance.get("seed"),
        seconds=scored.seconds,
        fps=len(scored.found) / scored.seconds if scored.seconds > 0 else None,
        versions=versions(),
        data=data.name,
        command=command,
        threshold=None if calibration is None else calibration.threshold,
        false_alarm_share=None if calibration is None else calibration.share,
        label_source=data.label_source,
        notes=tuple(notes),
    )
    facts = StillFacts(
        run=run,
        protocol=data.protocol,
        parameters=parameters_of(model.detector),
        size=model.detector.spec.size,
    )
    return still_report(facts, scored.found, scored.pixels)


class _Clock:
    """How long an iterator took, without what its consumer does in between."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self, items: Iterable[Judged]) -> Iterator[Judged]:
        """The same items."""
        began_s = time.monotonic()
        for item in items:
            self.seconds += time.monotonic() - began_s
            yield item
            began_s = time.monotonic()


def _opening_notes(model: StillModel, data: StillSet) -> list[str]:
    notes = [*data.notes, *data.lost[:NOTED]]
    if len(data.lost) > NOTED:
        notes.append(f"and {len(data.lost) - NOTED} more such lines")
    if not data.test:
        notes.append("there is no test split: all pictures are scored")
    stills = data.test or data.train
    if known := learned_among(stills, data, model.provenance):
        notes.append(
            f"the model learned from {len(known)} of these {len(stills)} pictures: their scores "
            "are lower than those of new ones"
        )
    learned_here = same_place(model.provenance.get("data"), data.root)
    learned = model.provenance.get("protocol")
    if learned_here and learned not in (None, data.protocol):
        notes.append(f"the model learned under another protocol: {learned}")
    if model.calibration is None:
        notes.append(
            "the model has no threshold: no p-values, no verdicts; run: oddwatch calibrate MODEL "
            "NORMAL_PICTURES"
        )
    return notes + [f"model: {text}" for text in getattr(model.detector, "remarks", ())]


def _lost_notes(found: list[Judged]) -> Iterator[str]:
    lost = [one for one in found if one.size is None]
    squeezed = [one for one in found if one.score is None and one.size is not None]
    strange = [one for one in found if one.score is not None and not isfinite(one.score)]
    if lost:
        yield f"{len(lost)} of {len(found)} pictures cannot be read and are not scored"
        yield from (one.why for one in lost[:NOTED])
        log.warning("%d of %d pictures cannot be read", len(lost), len(found))
    if squeezed:
        said = f"{len(squeezed)} of {len(found)} pictures are of a shape that was not learned"
        yield f"{said} and are not scored"
        yield from (one.why for one in squeezed[:NOTED])
        log.warning("%s: they are not scored", said)
    if strange:
        yield (
            f"{len(strange)} of {len(found)} pictures have a score that is no number, such as "
            f"{strange[0].still.name}; they are in no figure"
        )
