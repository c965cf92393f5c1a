"""Which plots a run over stills gets, and which pictures are looked at again for them.

Imports matplotlib late.
"""

import logging
from collections.abc import Iterator, Sequence

import numpy as np

from models.errors import ModelError
from monitor.errors import LabelError, MonitorError
from monitor.evaluation.metrics import FloatArray, has_both_classes
from monitor.evaluation.page import Picture
from monitor.overlay import overlay
from monitor.records import Image
from monitor.stills.judging import Judged, heat_of, judged
from monitor.stills.model import StillModel
from monitor.stills.report import labels_of, scores_of
from monitor.stills.sheet import SheetRow, contact_sheet, truth_picture
from monitor.stills.still import Still

log = logging.getLogger(__name__)

SHOWN = 3  # pictures of each sort on the sheet
THINGS = "pictures"


def still_pictures(
    scored: Sequence[Judged], model: StillModel, rules: Sequence[str] = ("score",)
) -> Iterator[Picture]:
    """The sheet, then what labels allow; `rules` are the score and terms to draw curves of."""
    sheet = _sheet(scored, model)
    if sheet is not None:
        yield sheet
    calibration = model.calibration
    threshold = None if calibration is None else calibration.threshold
    labelled = [one for one in scored if one.still.label is not None]
    yield from _label_plots(labelled, rules, threshold)
    yield from _kind_plot(scored, threshold)


def _label_plots(
    labelled: Sequence[Judged], rules: Sequence[str], threshold: float | None
) -> Iterator[Picture]:
    from monitor.evaluation import plots

    truth = labels_of(labelled)
    if not has_both_classes(truth):
        return
    scores = scores_of(labelled)
    values = {name: _values(labelled, name) for name in rules} or {"score": scores}
    roc = plots.roc_plot(truth, values, things=THINGS)
    yield Picture("roc", "ROC: what is found, against false alarms.", roc)
    yield Picture("pr", "Precision and recall.", plots.pr_plot(truth, values, things=THINGS))
    histogram = plots.histogram(truth, scores, threshold=threshold, things=THINGS)
    yield Picture("histogram", "How the scores of the two classes overlap.", histogram)


def _values(found: Sequence[Judged], rule: str) -> FloatArray:
    if rule == "score":
        return scores_of(found)
    return np.array([one.terms[rule] for one in found])


def _kind_plot(scored: Sequence[Judged], threshold: float | None) -> Iterator[Picture]:
    from monitor.evaluation import plots

    if not scored:
        return
    kinds = dict.fromkeys(one.still.kind or "unknown" for one in scored)
    groups = {
        kind: [one for one in scored if (one.still.kind or "unknown") == kind] for kind in kinds
    }
    normal = [kind for kind, own in groups.items() if not any(one.still.label for one in own)]
    order = sorted(groups, key=lambda kind: kind not in normal)
    boxes = plots.box_plot(
        {kind: scores_of(groups[kind]) for kind in order}, normal=normal, threshold=threshold
    )
    yield Picture("box_by_kind", "Scores by kind of picture.", boxes)


def worth_a_look(scored: Sequence[Judged]) -> list[tuple[str, Judged]]:
    """Worst misses, worst false alarms, best finds of different kinds; or the highest of all."""
    rising = sorted(scored, key=lambda one: one.score or 0.0)
    anomalous = [one for one in rising if one.still.label]
    normal = [one for one in rising if one.still.label is False]
    if not anomalous and not normal:
        return [("highest", one) for one in rising[::-1][: 2 * SHOWN]]
    missed = anomalous[:SHOWN]
    rest = anomalous[len(missed) :]
    return [
        *(("defective, scored lowest", one) for one in missed),
        *(("normal, scored highest", one) for one in normal[::-1][:SHOWN]),
        *(("defective, scored highest", one) for one in _of_many_kinds(rest[::-1])[:SHOWN]),
    ]


def _of_many_kinds(falling: Sequence[Judged]) -> list[Judged]:
    """The highest of each kind first."""
    seen: dict[str, int] = {}
    ranks = []
    for one in falling:
        seen[one.still.kind] = seen.get(one.still.kind, 0) + 1
        ranks.append(seen[one.still.kind])
    order = sorted(range(len(falling)), key=lambda place: ranks[place])
    return [falling[place] for place in order]


def _sheet(scored: Sequence[Judged], model: StillModel) -> Picture | None:
    """A second look at what is worth it; one that fails loses only itself."""
    chosen = worth_a_look(scored)
    try:
        stills = [one.still for _, one in chosen]
        again = list(judged(stills, model, expected=True))
        rows = [_row(why, one, model) for (why, _), one in zip(chosen, again, strict=True)]
    except (MonitorError, ModelError) as error:
        log.warning("no pictures of single stills: %s", error)
        return None
    if not rows:
        return None
    named = ("picture", "expected", "anomaly map", "truth")
    used = [place for place in range(4) if any(row.cells[place] is not None for row in rows)]
    kept = [SheetRow(row.title, [row.cells[place] for place in used]) for row in rows]
    sheet = contact_sheet("Misses and finds", [named[place] for place in used], kept)
    caption = (
        "Defective pictures that scored lowest, normal ones that scored highest, and finds: the "
        "picture, what the detector expected, where it saw something, and the truth."
    )
    return Picture("misses_sheet", caption, sheet)


def _row(why: str, one: Judged, model: StillModel) -> SheetRow:
    image = one.still.picture()
    heat = None if one.map is None else overlay(image, heat_of(one.map, model))
    shown = "" if one.displayed is None else f", displayed {one.displayed:.2f}"
    title = f"{why}: {one.still.name}, score {one.score:.3g}{shown}"
    return SheetRow(title, [image, one.expected, heat, _truth(one.still, image)])


def _truth(still: Still, image: Image) -> Image | None:
    if still.mask is None:
        return None
    try:
        mask = still.truth()
    except LabelError:
        return None
    return None if mask is None else truth_picture(mask, image)
