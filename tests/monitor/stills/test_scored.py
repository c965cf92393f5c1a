import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import beta
from sklearn.metrics import average_precision_score, confusion_matrix, f1_score, roc_auc_score

from monitor.computed import NAMES
from monitor.errors import DataSetError, LabelError, SourceError, StoreError
from monitor.evaluation.metrics import auroc_interval_by_class
from monitor.records import Image
from monitor.stills.apart import noted_of_stills
from monitor.stills.judging import judged
from monitor.stills.maps import SIGMA, at_mask_size
from monitor.stills.model import StillModel
from monitor.stills.opening import open_stills
from monitor.stills.report import still_summary_lines
from monitor.stills.results import read_still_scores
from monitor.stills.scored import score_stills
from monitor.stills.split import StillSplit
from monitor.stills.still import Mask, StillSet
from tests.monitor.stills.learner import write_plates
from tests.monitor.stills.sets import save
from tests.monitor.stills.spots import plate, spots_model

DESIGNED = {
    "detector", "preset", "protocol", "n_images", "auroc", "auroc_interval", "ap", "prevalence",
    "eer", "f1_max", "confusion", "f1", "pixel_auroc", "aupro", "false_alarm_rate_promised",
    "false_alarm_rate_measured", "fps", "seconds", "ms_per_picture", "parameters", "device", "seed",
    "versions", "kinds", "notes",
}  # fmt: skip


def dim(root: Path, index: int, level: int) -> None:
    """A plate whose spot is hard to see, with its mask."""
    image = plate(700 + index)
    image[8:24, 24:40] = level
    save(root / "test" / "dim" / f"{index:03d}.png", image)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[8:24, 24:40] = 255
    save(root / "ground_truth" / "dim" / f"{index:03d}_mask.png", mask)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StillSet:
    root = write_plates(tmp_path_factory.mktemp("set") / "plates", n_train=4)
    for index, level in enumerate((128, 131, 134, 137, 140, 146)):
        dim(root, index, level)
    return open_stills(root)


@pytest.fixture(scope="module")
def model() -> StillModel:
    return spots_model()


@pytest.fixture(scope="module")
def out(data: StillSet, model: StillModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "new"
    score_stills(model, data, folder, command="oddwatch score m.pt plates -o out")
    return folder


def figures(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "report.json").read_text())
    return found


def number(folder: Path, key: str) -> float:
    value = figures(folder)[key]
    assert isinstance(value, float)
    return value


def columns(folder: Path) -> tuple[list[str], list[float], list[str], list[int]]:
    rows = list(read_still_scores(folder / "scores.csv"))
    return (
        [row["path"] for row in rows],
        [float(row["score"]) for row in rows],
        [row["verdict"] for row in rows],
        [int(row["label"]) for row in rows],
    )


def test_the_report_has_what_was_designed(out: Path) -> None:
    assert set(figures(out)) >= DESIGNED
    assert figures(out)["kind"] == "stills"
    assert figures(out)["n_images"] == 22


def test_pictures_that_were_learned_from_are_counted_wherever_they_lie(
    data: StillSet, model: StillModel, tmp_path: Path
) -> None:
    learned = StillSplit(data.train[:3], (), ())
    model = replace(model, provenance=model.provenance | noted_of_stills(learned, data))
    copied = open_stills(write_plates(tmp_path / "copy", n_train=5) / "train" / "good")
    score_stills(model, copied, tmp_path / "out", pictures=False)
    notes = json.loads((tmp_path / "out" / "report.json").read_text())["notes"]
    (note,) = (text for text in notes if "learned" in text)
    assert note.startswith("the model learned from 3 of these 5 pictures")


def test_there_is_a_row_for_every_picture(out: Path, data: StillSet) -> None:
    paths, _, verdicts, labels = columns(out)
    assert paths == [still.name for still in data.test]
    assert labels == [int(bool(still.label)) for still in data.test]
    assert set(verdicts) == {"ok", "defective"}
    head = (out / "scores.csv").read_text().splitlines()[0]
    assert head == "path,score,p_value,verdict,label"
    assert all(0 < float(row["p_value"]) <= 1 for row in read_still_scores(out / "scores.csv"))


def test_ranks_are_scikit_learns(out: Path) -> None:
    _, scores, _, labels = columns(out)
    assert number(out, "auroc") == pytest.approx(roc_auc_score(labels, scores))
    assert number(out, "ap") == pytest.approx(average_precision_score(labels, scores))
    assert number(out, "prevalence") == pytest.approx(np.mean(labels))
    assert number(out, "auroc") < 1  # or the test says little
    by_hand = max(f1_score(labels, np.array(scores) >= t) for t in scores)
    assert number(out, "f1_max") == pytest.approx(by_hand)


def test_verdicts_are_counted_as_scikit_learn_counts(out: Path) -> None:
    _, _, verdicts, labels = columns(out)
    called = [int(verdict == "defective") for verdict in verdicts]
    (tn, fp), (fn, tp) = confusion_matrix(labels, called).tolist()
    assert figures(out)["confusion"] == {
        "true_defective": tp, "false_defective": fp, "false_ok": fn, "true_ok": tn,
    }  # fmt: skip
    assert number(out, "f1") == pytest.approx(f1_score(labels, called))
    assert number(out, "recall") == pytest.approx(tp / (tp + fn))
    assert number(out, "false_alarm_rate_measured") == pytest.approx(fp / (fp + tn))
    assert number(out, "false_alarm_rate_promised") == 0.01
    interval = figures(out)["false_alarm_rate_interval"]
    upper = beta.ppf(0.975, fp + 1, tn) if tn else 1.0  # Clopper and Pearson
    assert isinstance(interval, list)
    assert interval[1] == pytest.approx(upper)


def test_the_interval_is_a_bootstrap_by_class() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) >= 20
    scores = rng.normal(size=60) + labels
    found = auroc_interval_by_class(labels, scores)
    normal, anomalous = scores[~labels], scores[labels]
    areas = [
        np.mean(rng.choice(anomalous, 40)[:, None] > rng.choice(normal, 20)) for _ in range(1000)
    ]
    low, high = np.quantile(areas, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.015)
    apart = auroc_interval_by_class(labels, labels + 0.1 * rng.random(60))
    assert (apart.low, apart.high) == (1.0, 1.0)


def test_kinds_stand_apart(out: Path) -> None:
    kinds = figures(out)["kinds"]
    assert isinstance(kinds, dict)
    paths, scores, verdicts, labels = columns(out)
    own = [path.split("/")[1] for path in paths]
    assert set(kinds) == {"good", "spot", "dim"}
    assert kinds["good"]["auroc"] is None
    for kind in ("spot", "dim"):
        kept = [i for i, k in enumerate(own) if k in (kind, "good")]
        area = roc_auc_score([labels[i] for i in kept], [scores[i] for i in kept])
        assert kinds[kind]["auroc"] == pytest.approx(area)
        mine = [v == "defective" for v, k in zip(verdicts, own, strict=True) if k == kind]
        assert kinds[kind]["called_defective"] == pytest.approx(np.mean(mine))
        assert kinds[kind]["pictures"] == len(mine)


def test_pixel_figures_are_of_blurred_maps_at_the_masks_size(
    out: Path, data: StillSet, model: StillModel
) -> None:
    maps, masks = [], []
    for one in judged(data.test, model):
        assert one.map is not None
        large = cv2.resize(one.map, (64, 64), interpolation=cv2.INTER_LINEAR)
        maps.append(gaussian_filter(large, SIGMA, mode="reflect", truncate=3.0).ravel())
        mask = one.still.truth()
        assert mask is not None
        masks.append(mask.ravel())
    area = roc_auc_score(np.concatenate(masks), np.concatenate(maps))
    assert number(out, "pixel_auroc") == pytest.approx(area, abs=2e-3)
    assert number(out, "pixel_smoothing_sigma") == 4.0
    assert 0.5 < number(out, "aupro") <= 1


def test_blurring_keeps_the_sum_and_has_the_stated_width() -> None:
    dot = np.zeros((101, 101), np.float32)
    dot[50, 50] = 1
    spread = at_mask_size(dot, (101, 101))
    assert spread.sum() == pytest.approx(1, abs=1e-3)
    offsets = np.arange(101) - 50
    assert np.sqrt((spread.sum(axis=0) * offsets**2).sum()) == pytest.approx(4, abs=0.1)


def test_the_page_and_its_pictures_are_written(out: Path) -> None:
    names = {path.name for path in out.glob("*.png")}
    assert names == {
        "misses_sheet.png", "roc.png", "pr.png", "histogram.png", "box_by_kind.png",
    }  # fmt: skip
    page = (out / "report.html").read_text()
    assert "oddwatch score m.pt plates -o out" in page
    assert "all but good is anomalous" in page
    assert "At the threshold," in page
    sheet = cv2.imread(str(out / "misses_sheet.png"))
    assert sheet is not None
    assert sheet.std() > 20


def test_the_terminal_gets_the_same_figures(
    data: StillSet, model: StillModel, tmp_path: Path
) -> None:
    report = score_stills(model, data, tmp_path, pictures=False)
    assert [report.figures[key] for key in NAMES] == ["cpu", "torch", "fp32"]
    said = "\n".join(still_summary_lines(report))
    assert f"AUROC {report.number('auroc'):.3f} (95 % interval" in said
    assert "22 pictures" in said
    assert "ms each on cpu by torch in fp32" in said
    assert "true defective" in said
    assert list(tmp_path.glob("*.png")) == []


def test_without_labels_all_are_scored_and_figures_are_null(
    model: StillModel, tmp_path: Path
) -> None:
    for index in range(5):
        save(tmp_path / "plain" / f"{index}.png", plate(index, spot=index == 4))
    found = open_stills(tmp_path / "plain")
    unlabelled = tuple(replace(still, label=None) for still in found.train)
    report = score_stills(model, replace(found, train=(), test=unlabelled), tmp_path / "out")
    assert report.figures["auroc"] is None
    assert report.figures["n_images"] == 5
    assert any("no picture has a label" in text for text in report.texts("notes"))
    names = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert names == {"misses_sheet.png", "box_by_kind.png"}


def test_a_plot_that_cannot_be_drawn_loses_no_scores_and_is_said(
    data: StillSet, model: StillModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: object, **_more: object) -> bytes:
        raise ValueError("no such font")

    monkeypatch.setattr("monitor.evaluation.plots.roc_plot", fails)
    report = score_stills(model, data, tmp_path)
    assert "cannot be drawn, and is left out" in report.texts("notes")[-1]
    assert len(list(read_still_scores(tmp_path / "scores.csv"))) == len(data.test)
    assert [path.name for path in tmp_path.glob("*.png")] == ["misses_sheet.png"]


def test_one_class_only_says_why_there_is_no_auroc(
    data: StillSet, model: StillModel, tmp_path: Path
) -> None:
    good = tuple(still for still in data.test if still.label is False)
    report = score_stills(model, replace(data, test=good), tmp_path, pictures=False)
    assert report.figures["auroc"] is None
    assert report.number("false_alarm_rate_measured") is not None
    assert any("auroc is null" in text for text in report.texts("notes"))


def test_without_a_threshold_there_are_no_verdicts(
    data: StillSet, model: StillModel, tmp_path: Path
) -> None:
    report = score_stills(replace(model, calibration=None), data, tmp_path, pictures=False)
    assert report.number("auroc") is not None
    assert report.figures["confusion"] is None
    assert report.figures["false_alarm_rate_measured"] is None
    assert any("oddwatch calibrate" in text for text in report.texts("notes"))
    assert {row["verdict"] for row in read_still_scores(tmp_path / "scores.csv")} == {"unjudged"}


@pytest.fixture
def damaged(data: StillSet) -> StillSet:
    def broken() -> Image:
        raise SourceError("test/spot/000.png: it is cut off")

    first = next(s for s in data.test if s.name == "test/spot/000.png")
    return replace(
        data, test=tuple(replace(s, read=broken) if s is first else s for s in data.test)
    )


def test_a_broken_picture_is_noted_counted_and_in_the_table(
    damaged: StillSet, model: StillModel, tmp_path: Path
) -> None:
    report = score_stills(model, damaged, tmp_path, pictures=False)
    assert report.figures["n_unreadable"] == 1
    assert report.figures["n_images"] == 21
    notes = report.texts("notes")
    assert "1 of 22 pictures cannot be read and are not scored" in notes
    assert "test/spot/000.png: it is cut off" in notes
    rows = {row["path"]: row for row in read_still_scores(tmp_path / "scores.csv")}
    assert rows["test/spot/000.png"]["score"] == ""
    assert rows["test/spot/000.png"]["verdict"] == "unjudged"


def test_a_picture_of_another_shape_is_noted_counted_and_in_no_figure(
    data: StillSet, model: StillModel, tmp_path: Path
) -> None:
    wide = np.full((64, 114, 3), 128, np.uint8)
    first, *others = data.test
    test = (replace(first, read=lambda: wide, mask=None), *others)
    known = replace(model, provenance=model.provenance | {"source_size": [64, 64]})
    report = score_stills(known, replace(data, test=test), tmp_path, pictures=False)
    assert (report.figures["n_other_shape"], report.figures["n_unreadable"]) == (1, 0)
    assert report.figures["n_images"] == 21
    notes = report.texts("notes")
    assert "1 of 22 pictures are of a shape that was not learned and are not scored" in notes
    assert any("114x64; the model learned on 64x64" in text for text in notes)
    with pytest.raises(SourceError, match=r"none of 1 pictures can be judged, such as: .*114x64"):
        score_stills(known, replace(data, test=test[:1]), tmp_path, pictures=False)


def test_nothing_is_left_on_disk_when_scoring_fails(
    damaged: StillSet, model: StillModel, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="cut off"):
        score_stills(model, damaged, tmp_path / "out", strict=True)
    assert not (tmp_path / "out").exists()
    only = tuple(still for still in damaged.test if still.name == "test/spot/000.png")
    with pytest.raises(SourceError, match="none of 1 pictures can be read"):
        score_stills(model, replace(damaged, test=only), tmp_path / "out")
    with pytest.raises(DataSetError, match="there is no picture to score"):
        score_stills(model, replace(damaged, test=(), train=()), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="expected a folder, found a file"):
        score_stills(model, damaged, tmp_path / "file")


def test_masks_that_are_missing_or_do_not_fit_are_counted(
    model: StillModel, tmp_path: Path
) -> None:
    root = write_plates(tmp_path / "p", n_train=4)
    truth = root / "ground_truth" / "spot"
    (truth / "001_mask.png").unlink()
    save(truth / "002_mask.png", np.full((30, 30), 255, np.uint8))
    report = score_stills(model, open_stills(root), tmp_path / "out", pictures=False)
    notes = " | ".join(report.texts("notes"))
    assert "masks of 6 of 8 defective pictures; 2 have none" in notes
    assert "test/spot/002.png: 30x30, but the picture is 64x64" in notes
    assert report.number("pixel_auroc") is not None


def test_a_mask_that_cannot_be_used_is_counted(
    data: StillSet, model: StillModel, tmp_path: Path
) -> None:
    def wrong() -> Mask:
        raise LabelError("x.png: the picture is 64x64, but its mask is 30x30")

    test = tuple(replace(s, mask=wrong) if s.name == "test/dim/000.png" else s for s in data.test)
    report = score_stills(model, replace(data, test=test), tmp_path, pictures=False)
    notes = " | ".join(report.texts("notes"))
    assert "1 of 14 masks cannot be used" in notes
    assert "x.png: the picture is 64x64" in notes
    assert report.number("pixel_auroc") is not None
    with_all = score_stills(model, data, tmp_path, pictures=False)
    assert report.number("pixel_auroc") != with_all.number("pixel_auroc")


def test_without_masks_pixel_figures_are_null(
    data: StillSet, model: StillModel, tmp_path: Path
) -> None:
    bare = tuple(replace(still, mask=None) for still in data.test)
    report = score_stills(model, replace(data, test=bare), tmp_path, pictures=False)
    assert report.figures["pixel_auroc"] is None
    assert report.figures["pixel_smoothing_sigma"] is None
    assert any("there are no pixel masks" in text for text in report.texts("notes"))


def test_terms_stand_in_a_table_of_their_own(data: StillSet, tmp_path: Path) -> None:
    from models.detector import Budget
    from monitor.stills.pipeline import train_stills
    from tests.monitor.stills.learner import MeanPicture, MeanPictureConfig

    learned = train_stills(MeanPicture(MeanPictureConfig()), data, budget=Budget(steps=5))
    report = score_stills(learned, data, tmp_path, pictures=False)
    with (tmp_path / "terms.csv").open() as file:
        rows = list(csv.DictReader(file))
    labels = [int(row["label"]) for row in read_still_scores(tmp_path / "scores.csv")]
    area = roc_auc_score(labels, [float(row["mean_error"]) for row in rows])
    assert report.table("rules")["mean_error"]["auroc"] == pytest.approx(area)
    assert [row["path"] for row in rows] == [still.name for still in data.test]
