import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from models.detector import Budget
from models.registry import build
from monitor import tally
from monitor.computed import NAMES
from monitor.datasets import Video, open_data
from monitor.errors import (
    CorruptFrameError,
    DataSetError,
    DeviceError,
    LabelError,
    MonitorError,
    SourceError,
    StoreError,
    UsageError,
)
from monitor.evaluation.results import Event, read_scores_csv
from monitor.model import Model
from monitor.pipeline import train_model
from monitor.records import Reading
from monitor.runtimes.graphs import GraphError
from monitor.scored import look, score_data, score_video
from monitor.sights import highest, look_at, scale_of, sights_of
from monitor.tally import Count
from tests.monitor.footage import TINY, write_clip, write_set

DESIGNED = {
    "detector", "preset", "protocol", "n_frames", "auroc_micro", "auroc_causal", "auroc_macro",
    "ap", "prevalence", "eer", "f1_max", "pixel_auroc", "aupro", "false_alarm_rate_promised",
    "false_alarm_rate_measured", "fps", "seconds", "device", "seed", "versions", "notes",
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set") / "tiny", n_frames=240, masks=True)


@pytest.fixture(scope="module")
def model(root: Path) -> Model:
    torch.manual_seed(0)
    detector = build("frame_prediction", **TINY, learning_rate=3e-3)
    return train_model(detector, open_data(root), budget=Budget(steps=60))


@pytest.fixture(scope="module")
def out(root: Path, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "new"
    score_data(model, open_data(root), folder, command="oddwatch score m.pt tiny -o out")
    return folder


def figures(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "report.json").read_text())
    return found


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_report_has_what_was_designed(out: Path) -> None:
    assert set(figures(out)) >= DESIGNED
    assert figures(out)["frames_unreadable"] == 0
    assert [figures(out)[key] for key in NAMES] == ["cpu", "torch", "fp32"]


def test_there_is_a_row_for_every_scored_frame(out: Path, model: Model) -> None:
    first = model.detector.spec.span - 1
    expected = [(name, str(index)) for name in ("00", "01") for index in range(first, 80)]
    assert [(row["video"], row["frame"]) for row in rows(out)] == expected
    assert figures(out)["n_frames"] == len(expected)
    assert rows(out)[0]["time_s"] == str(first / 10)
    assert all(0 < float(row["p_value"]) <= 1 for row in rows(out))
    head = (out / "terms.csv").read_text().splitlines()[0].split(",")
    assert head == ["video", "frame", *sorted(set(head[2:]))]  # no name twice
    assert "psnr" in head


def test_the_figures_follow_from_the_table(out: Path) -> None:
    label = np.array([int(row["label"]) for row in rows(out)])
    score = np.array([float(row["score"]) for row in rows(out)])
    video = np.array([row["video"] for row in rows(out)])
    assert figures(out)["auroc_causal"] == pytest.approx(roc_auc_score(label, score), abs=1e-6)
    stretched = score.copy()
    for name in np.unique(video):
        own = score[video == name]
        stretched[video == name] = (own - own.min()) / (own.max() - own.min())
    assert figures(out)["auroc_micro"] == pytest.approx(roc_auc_score(label, stretched), abs=1e-6)


def test_the_wrong_thing_is_found_frame_and_place(out: Path) -> None:
    assert float(str(figures(out)["auroc_causal"])) > 0.9
    assert float(str(figures(out)["pixel_auroc"])) > 0.8
    assert float(str(figures(out)["fps"])) > 0


def test_the_page_and_its_pictures_are_written(out: Path) -> None:
    names = {path.name for path in out.glob("*.png")}
    assert names >= {"overview_sheet.png", "highest_sheet.png", "misses_sheet.png", "roc.png"}
    assert "oddwatch score m.pt tiny -o out" in (out / "report.html").read_text()


def test_the_flow_baseline_and_the_clock_stand_beside_it(out: Path) -> None:
    baselines = figures(out)["baselines"]
    assert isinstance(baselines, dict)
    assert set(baselines) == {"clock", "flow_magnitude"}
    assert baselines["flow_magnitude"]["auroc_causal"] is not None


def test_a_model_without_calibration_scores_without_alerts(
    root: Path, model: Model, tmp_path: Path
) -> None:
    report = score_data(replace(model, calibration=None), open_data(root), tmp_path, pictures=False)
    assert report.number("auroc_causal") is not None
    assert report.number("false_alarm_rate_promised") is None
    assert any("run: oddwatch calibrate" in text for text in report.texts("notes"))
    assert all(row["p_value"] == "" for row in rows(tmp_path))


def test_videos_without_labels_are_all_scored(model: Model, tmp_path: Path) -> None:
    root = tmp_path / "videos"
    write_clip(root / "a", 40, seed=0)
    write_clip(root / "b", 30, seed=1, wrong=range(15, 25))
    report = score_data(model, open_data(root, layout="videos"), tmp_path / "out")
    assert report.figures["n_videos"] == 2
    assert report.number("auroc_causal") is None
    notes = report.texts("notes")
    assert any("no test split: all videos are scored" in text for text in notes)
    assert any("no video has labels" in text for text in notes)
    assert (tmp_path / "out" / "highest_sheet.png").exists()
    assert not (tmp_path / "out" / "misses_sheet.png").exists()


@pytest.fixture
def damaged(root: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "damaged"
    shutil.copytree(root, copy)
    frame = copy / "testing" / "frames" / "00" / "030.jpg"
    frame.write_bytes(frame.read_bytes()[:200])
    return copy


def test_a_corrupt_frame_is_left_out_and_counted(
    damaged: Path, model: Model, tmp_path: Path
) -> None:
    report = score_data(model, open_data(damaged), tmp_path / "out", pictures=False)
    assert report.figures["frames_unreadable"] == 1
    assert any("030.jpg" in text for text in report.texts("notes"))
    scored = [(row["video"], row["frame"]) for row in rows(tmp_path / "out")]
    assert ("00", "30") not in scored
    assert ("00", "31") in scored
    labels = {row["frame"]: row["label"] for row in rows(tmp_path / "out") if row["video"] == "00"}
    assert (labels["39"], labels["40"]) == ("0", "1")


def test_a_corrupt_frame_is_fatal_when_strict(damaged: Path, model: Model, tmp_path: Path) -> None:
    with pytest.raises(CorruptFrameError, match=r"030\.jpg"):
        score_data(model, open_data(damaged, strict=True), tmp_path / "out")
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_last_video_that_is_no_video_loses_only_itself(model: Model, tmp_path: Path) -> None:
    root = tmp_path / "videos"
    write_clip(root / "a", 40, seed=0)
    (root / "z.mp4").write_bytes(b"\0\0\0\x20ftypisom and then the power went")
    report = score_data(model, open_data(root), tmp_path / "out", pictures=False)
    assert report.figures["n_videos"] == 1
    assert any("z is not scored" in text and "cut off" in text for text in report.texts("notes"))


@pytest.mark.parametrize("failure", [DeviceError, GraphError])
@pytest.mark.parametrize("sound", [0, 1])
def test_what_computes_fails_and_the_videos_before_are_kept(
    failure: type[DeviceError | GraphError], sound: int, model: Model, root: Path, tmp_path: Path
) -> None:
    asked: list[str] = []

    def failing(video: Video, model: Model, seen: Count, *, maps: bool) -> Iterator[Reading]:
        asked.append(video.name)
        yield from islice(look(video, model, seen, maps=maps), 5)
        if len(asked) > sound:
            raise failure("device cuda failed (CUDA error: gone)")

    data = open_data(root)
    before = "; 1 of 2 videos were scored before: see .*out$" if sound else r"gone\)$"
    with pytest.raises(failure, match=before):
        score_data(model, data, tmp_path / "out", look=failing)
    assert len(asked) == sound + 1
    assert (tmp_path / "out").exists() == bool(sound)
    if sound:
        assert {row["video"] for row in rows(tmp_path / "out")} == {data.test[0].name}
        assert "all after it are not scored" in str(figures(tmp_path / "out")["notes"])


@pytest.mark.parametrize("failure", [SourceError, DeviceError])
def test_maps_of_a_video_that_is_not_scored_count_in_no_figure(
    failure: type[MonitorError],
    root: Path,
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally, "MAPS_KEPT", 4)
    data = open_data(root)
    sound, broken = data.test

    def failing(video: Video, model: Model, seen: Count, *, maps: bool) -> Iterator[Reading]:
        if video is not broken:
            yield from look(video, model, seen, maps=maps)
            return
        yield from islice(look(video, model, seen, maps=maps), 50)
        raise failure("it ended in the middle")

    only = score_data(model, replace(data, test=(sound,)), tmp_path / "only", pictures=False)
    with suppress(DeviceError):
        score_data(model, data, tmp_path / "out", pictures=False, look=failing)
    for name in ("n_frames", "pixel_auroc", "aupro"):
        assert figures(tmp_path / "out")[name] == only.figures[name]


def test_a_video_shorter_than_a_clip_is_said(model: Model, tmp_path: Path) -> None:
    write_clip(tmp_path / "v", 2, seed=0)
    with pytest.raises(DataSetError, match=r"2 of 2 frames could be read.* takes 3 unbroken ones"):
        score_data(model, open_data(tmp_path / "v"), tmp_path / "out")


def test_a_video_too_slow_for_the_model_is_said(model: Model, tmp_path: Path) -> None:
    write_clip(tmp_path / "v", 9, seed=0)
    said = r"v: a frame every 10 s, and frame_prediction learned at 10 per second"
    quick = replace(model, provenance=model.provenance | {"rate_hz": 10.0})
    with pytest.raises(DataSetError, match=said):
        score_data(quick, open_data(tmp_path / "v", folder_rate_hz=0.1), tmp_path / "out")


def test_labels_that_do_not_fit_are_refused(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "wrong"
    shutil.copytree(root, copy)
    np.save(copy / "labels.npy", np.zeros(150, np.bool_))
    with pytest.raises(LabelError, match=r"150 labels, but the 2 test clips .* have 160 frames"):
        open_data(copy)


def test_another_shape_of_picture_is_refused(model: Model, tmp_path: Path) -> None:
    tall: NDArray[np.uint8] = np.zeros((48, 32, 3), np.uint8)
    (tmp_path / "tall").mkdir()
    for index in range(5):
        cv2.imwrite(str(tmp_path / "tall" / f"{index}.png"), tall)
    with pytest.raises(UsageError, match="is 32x48, the model learned on 48x32"):
        score_data(model, open_data(tmp_path / "tall"), tmp_path / "out")


def test_results_that_cannot_be_written_are_found_out_first(
    root: Path, model: Model, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write results to .*expected a folder"):
        score_data(model, open_data(root), tmp_path / "file")


def test_a_failure_leaves_no_empty_folder(model: Model, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(SourceError):
        score_data(model, open_data(tmp_path / "a.mp4"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(SourceError):
        score_data(model, open_data(tmp_path / "a.mp4"), tmp_path / "mine")
    assert (tmp_path / "mine").is_dir()


def test_alerts_are_those_of_the_rule(root: Path, model: Model) -> None:
    video = open_data(root).test[0]
    calibration = model.calibrated()
    low = replace(calibration, rule=replace(calibration.rule, enter=1e-6, exit=1e-6))
    alerts = score_video(video, replace(model, calibration=low)).alerts
    assert alerts is not None
    assert [span.end_s for span in alerts] == [7.9]
    assert alerts[0].start_s == pytest.approx(1.7, abs=1)  # two seconds of warm-up, less a window
    never = replace(calibration, rule=replace(calibration.rule, enter=1e9, exit=1e9))
    assert score_video(video, replace(model, calibration=never)).alerts == ()


def test_alerts_are_written_the_same_each_time(root: Path, model: Model, tmp_path: Path) -> None:
    calibration = model.calibrated()
    low = replace(calibration, rule=replace(calibration.rule, enter=1e-6, exit=1e-6))
    eager = replace(model, calibration=low)
    for out in (tmp_path / "once", tmp_path / "again"):
        score_data(eager, open_data(root), out, pictures=False)
    written = (tmp_path / "once" / "alerts.csv").read_text()
    assert written == (tmp_path / "again" / "alerts.csv").read_text()
    alerts = list(csv.DictReader(written.splitlines()))
    assert [(alert["video"], alert["end_s"]) for alert in alerts] == [("00", "7.9"), ("01", "7.9")]
    listed = figures(tmp_path / "once")["alerts"]
    assert isinstance(listed, list)
    assert [{key: str(value) for key, value in row.items()} for row in listed] == alerts
    own = [row for row in rows(tmp_path / "once") if row["video"] == "00"]
    at_peak = next(row for row in own if row["time_s"] == alerts[0]["peak_s"])
    assert at_peak["score"] == alerts[0]["peak_score"]
    assert at_peak["p_value"] == alerts[0]["peak_p_value"]


def test_without_calibration_no_earlier_alerts_stay(
    root: Path, model: Model, tmp_path: Path
) -> None:
    score_data(model, open_data(root), tmp_path, pictures=False)
    assert (tmp_path / "alerts.csv").exists()
    score_data(replace(model, calibration=None), open_data(root), tmp_path, pictures=False)
    assert not (tmp_path / "alerts.csv").exists()
    assert figures(tmp_path)["alerts"] is None


def test_events_are_those_of_all_labels_at_the_times_of_their_frames(
    root: Path, model: Model
) -> None:
    video = open_data(root).test[0]
    assert score_video(video, model).scores.events == (Event(4.0, 5.9),)
    labels = np.zeros(80, np.bool_)
    labels[[0, 1, 30, 79]] = True  # a clip of three frames has no score before the third
    scores = score_video(replace(video, labels=labels), model).scores
    assert scores.events == (Event(0.0, 0.1), Event(3.0, 3.0), Event(7.9, 7.9))
    assert scores.label is not None
    assert np.flatnonzero(scores.label).tolist() == [28, 77]
    longer = replace(video, labels=np.ones(100, np.bool_))
    assert score_video(longer, model).scores.events == (Event(0.0, 7.9),)


def test_the_highest_frames_are_apart_and_of_all_videos(out: Path) -> None:
    videos = read_scores_csv(out / "scores.csv")
    found = highest(videos, 4)
    assert {frame.video for frame in found[:2]} == {"00", "01"}
    assert found[0].score == max(float(video.score.max()) for video in videos)
    for frame in found:
        near = [o for o in found if o.video == frame.video and o is not frame]
        assert all(abs(o.time_s - frame.time_s) >= 3 for o in near)


def test_a_second_look_sees_the_same_frame(root: Path, model: Model, out: Path) -> None:
    data = open_data(root)
    video = data.test[0]
    sight = look_at(video, 50, model)
    assert sight is not None
    assert np.array_equal(sight.image, next(iter(video.frames(50, 51))).image)
    score = read_scores_csv(out / "scores.csv")[0].score[50 - model.detector.spec.span + 1]
    assert sight.map.max() == pytest.approx(score, rel=1e-4)  # the rule "window"
    assert sight.expected is not None
    assert sight.expected.shape == (*model.detector.spec.size, 3)
    assert len(sights_of(highest(read_scores_csv(out / "scores.csv")), data.test, model)) > 0


def test_sheets_are_on_the_scale_that_alerts_are_shown_on(model: Model, root: Path) -> None:
    sight = look_at(open_data(root).test[0], 50, model)
    assert sight is not None
    assert scale_of(model, [sight]) == model.map_scale
    bare = replace(model, calibration=None, provenance={})
    assert scale_of(bare, [sight]) == (sight.map.max() / 2, sight.map.max())


def test_pictures_can_be_left_out(root: Path, model: Model, tmp_path: Path) -> None:
    score_data(model, open_data(root), tmp_path, pictures=False)
    assert list(tmp_path.glob("*.png")) == []


def test_a_plot_that_cannot_be_drawn_loses_no_scores_and_is_said(
    root: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_given: object, **_more: object) -> bytes:
        raise ValueError("no such font")

    monkeypatch.setattr("monitor.evaluation.plots.roc_plot", fails)
    report = score_data(model, open_data(root), tmp_path)
    assert "cannot be drawn, and is left out" in report.texts("notes")[-1]
    assert figures(tmp_path)["notes"] == report.texts("notes")
    assert len(rows(tmp_path)) == report.figures["n_frames"]
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn == {"overview_sheet.png", "highest_sheet.png", "misses_sheet.png"}
