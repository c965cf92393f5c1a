import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from monitor.computed import NAMES, Computed
from monitor.evaluation.metrics import BoolArray, EvaluationError, FloatArray
from monitor.evaluation.pixels import PixelFigures
from monitor.evaluation.report import (
    Report,
    RunFacts,
    said_alerts,
    summary_lines,
    video_report,
)
from monitor.evaluation.results import VideoScores
from monitor.records import Alert

BY = frozenset({Computed("torch", "fp32", "cpu")})
FACTS = RunFacts(
    detector="frame_prediction",
    preset="lite",
    computed=BY,
    seed=7,
    seconds=12.5,
    fps=40.0,
    versions={"oddwatch": "0.1.0"},
    threshold=1.0,
    false_alarms_per_day=2.0,
    label_source="intervals",
)
DESIGNED = {
    "detector", "preset", "protocol", "n_frames", "auroc_micro", "auroc_causal", "auroc_macro",
    "ap", "prevalence", "eer", "f1_max", "pixel_auroc", "aupro", "false_alarm_rate_promised",
    "false_alarm_rate_measured", "fps", "seconds", "device", "seed", "versions", "notes",
    "rules", "baselines", "beats_baselines", "auroc_causal_interval", "single_class_videos",
    "detection_delay_s", "events_found", "events_total", "false_alarms_per_hour", "threshold",
    "label_source", "runtime", "numeric_precision",
}  # fmt: skip


def video(name: str, label: BoolArray | None, *, seed: int = 0, gain: float = 2.0) -> VideoScores:
    rng = np.random.default_rng(seed)
    n = 60 if label is None else len(label)
    lift = 0.0 if label is None else gain * label
    score = rng.normal(0, 0.3, n) + lift
    index = np.arange(4, 4 + n)
    return VideoScores(name, index, index / 10, score, label=label, terms={"psnr": score**3})


def event(n: int = 60, start: int = 20, stop: int = 40) -> BoolArray:
    return (np.arange(n) >= start) & (np.arange(n) < stop)


def videos() -> list[VideoScores]:
    return [
        video("01", event(), seed=1),
        video("02", event(start=40, stop=60), seed=2),
        video("03", np.ones(30, np.bool_), seed=3),
    ]


def raised(start_s: float, end_s: float) -> Alert:
    return Alert("01HAAA", "01", "end", 3, start_s, end_s, start_s, 1.5, 0.01, "motion")


def truth(of: list[VideoScores]) -> BoolArray:
    return np.concatenate([v.label for v in of if v.label is not None])


def scores(of: list[VideoScores]) -> FloatArray:
    return np.concatenate([v.score for v in of])


def test_the_designed_keys_are_there_whether_or_not_there_are_labels() -> None:
    assert set(video_report(FACTS, videos()).figures) >= DESIGNED
    assert set(video_report(FACTS, [video("a", None)]).figures) >= DESIGNED


def test_all_that_computed_scores_is_said() -> None:
    report = video_report(FACTS, videos())
    assert [report.figures[key] for key in NAMES] == ["cpu", "torch", "fp32"]
    assert "40.0 frames/s on cpu by torch in fp32" in summary_lines(report)[0]
    assert not any("were computed" in note for note in report.texts("notes"))
    half = Computed("torch-half", "fp16", "cuda")
    both = video_report(replace(FACTS, computed=BY | {half}), videos())
    assert [both.figures[key] for key in NAMES] == ["cpu, cuda", "torch, torch-half", "fp16, fp32"]
    assert (
        "scores were computed by torch in fp32 on cpu, others by torch-half in fp16 on cuda: they "
        "are not quite comparable"
    ) in both.texts("notes")


def test_figures_are_those_of_scikit_learn() -> None:
    given = videos()
    report = video_report(FACTS, given)
    expected = roc_auc_score(truth(given), scores(given))
    assert report.number("auroc_causal") == pytest.approx(expected)
    assert report.number("ap") == pytest.approx(
        average_precision_score(truth(given), scores(given))
    )
    assert report.number("prevalence") == pytest.approx(70 / 150)
    assert report.figures["single_class_videos"] == {"count": 1, "names": ["03"]}
    interval = report.figures["auroc_causal_interval"]
    assert isinstance(interval, list)
    assert interval[0] <= expected <= interval[1]


def test_every_rule_and_baseline_has_the_same_columns() -> None:
    given = videos()
    report = video_report(FACTS, given, flow=[v.score + 1 for v in given])
    columns = {"auroc_micro", "auroc_causal", "auroc_macro", "ap"}
    assert set(report.table("rules")) == {"score", "psnr"}
    assert set(report.table("baselines")) == {"clock", "flow_magnitude"}
    for table in (report.table("rules"), report.table("baselines")):
        assert all(set(row) == columns for row in table.values())
    rules = report.table("rules")
    assert rules["psnr"]["auroc_causal"] == rules["score"]["auroc_causal"]
    assert rules["score"]["auroc_micro"] == report.number("auroc_micro")


def test_it_is_said_plainly_whether_the_baselines_are_beaten() -> None:
    given = videos()
    report = video_report(FACTS, given, flow=[v.score for v in given])
    text = str(report.figures["beats_baselines"])
    assert text.startswith("beats clock (")
    assert "does not beat flow_magnitude (" in text
    without = video_report(FACTS, given)
    assert "flow_magnitude" not in str(without.figures["beats_baselines"])
    assert "the baseline flow_magnitude is null: it was not computed" in without.texts("notes")


def test_alarms_come_from_the_threshold_where_no_alert_rule_ran() -> None:
    flat = VideoScores("a", np.arange(60), np.arange(60) / 10, np.zeros(60), label=event())
    score = flat.score.copy()
    score[[5, 6, 25]] = 2.0
    report = video_report(FACTS, [replace(flat, score=score)])
    assert (report.figures["events_found"], report.figures["events_total"]) == (1, 1)
    assert report.number("detection_delay_s") == pytest.approx(0.5)
    assert report.figures["false_alarms"] == 1
    assert report.number("false_alarms_per_hour") == pytest.approx(3600 / 4)
    assert report.number("false_alarm_rate_measured") == pytest.approx(24 * 3600 / 4)
    assert report.number("false_alarm_rate_promised") == 2.0
    assert any("too little footage to check the rate" in note for note in report.texts("notes"))


def test_alerts_are_counted_where_there_are_some() -> None:
    given = videos()
    alerts = {"01": [raised(0.4, 0.9), raised(1.0, 1.5), raised(2.9, 3.0)]}
    report = video_report(FACTS, given, alerts=alerts)
    assert report.figures["false_alarms"] == 1  # two that touch are one run
    assert (report.figures["events_found"], report.figures["events_total"]) == (1, 3)
    assert report.number("detection_delay_s") == pytest.approx(0.5)


def test_alerts_are_listed_whether_or_not_there_are_labels() -> None:
    report = video_report(FACTS, [video("a", None)], alerts={"a": [raised(0.4, 0.9)]})
    assert report.rows("alerts") == [
        {
            "video": "a",
            "start_s": 0.4,
            "end_s": 0.9,
            "peak_s": 0.4,
            "peak_score": 1.5,
            "peak_p_value": 0.01,
            "reason": "motion",
            "ended_by": "",
        }
    ]
    assert said_alerts(report) == "1 alert in 6 s of footage"
    none = video_report(FACTS, [video("a", None)], alerts={"a": []})
    assert said_alerts(none) == "no alert in 6 s of footage"
    assert none.figures["alerts"] == []
    assert video_report(FACTS, [video("a", None)]).figures["alerts"] is None


def test_without_labels_figures_are_null_for_one_stated_reason() -> None:
    report = video_report(FACTS, [video("a", None)])
    for key in ("auroc_micro", "auroc_causal", "auroc_macro", "ap", "eer", "f1_max"):
        assert report.figures[key] is None
    assert report.figures["events_total"] is None
    assert report.texts("notes")[0].startswith("no video has labels")
    assert report.figures["beats_baselines"] == "no baseline to compare with"


def test_one_class_alone_gives_null_with_the_reason() -> None:
    report = video_report(FACTS, [video("a", np.zeros(30, np.bool_))])
    assert report.number("auroc_causal") is None
    assert report.number("prevalence") == 0.0
    assert any("score: auroc_macro is null: no video has both" in n for n in report.texts("notes"))


def test_a_term_that_is_no_number_voids_its_row_only() -> None:
    bad = np.zeros(60)
    bad[3] = np.inf
    report = video_report(FACTS, [replace(video("a", event()), terms={"psnr": bad})])
    assert set(report.table("rules")["psnr"].values()) == {None}
    assert report.number("auroc_causal") is not None
    assert any(note.startswith("psnr: auroc_macro is null") for note in report.texts("notes"))


def test_a_term_of_some_videos_only_is_left_out_and_named() -> None:
    report = video_report(FACTS, [*videos(), replace(video("04", event()), terms={})])
    assert set(report.table("rules")) == {"score"}
    assert "psnr is not in the table: some videos have no such term" in report.texts("notes")


def test_scores_that_are_no_numbers_are_refused_by_video() -> None:
    bad = replace(video("lobby", event()), score=np.full(60, np.nan))
    with pytest.raises(EvaluationError, match="lobby: some scores are NaN"):
        video_report(FACTS, [bad])
    with pytest.raises(EvaluationError, match="no scored videos"):
        video_report(FACTS, [])


def test_pixel_figures_are_taken_over() -> None:
    pixels, mask = PixelFigures(), event(100).reshape(10, 10)
    pixels.add(mask + 0.0, mask)
    report = video_report(FACTS, videos(), pixels=pixels)
    assert report.number("pixel_auroc") == 1.0
    assert report.number("aupro") == pytest.approx(1.0)
    assert not any("pixel" in note for note in report.texts("notes"))


def test_the_json_reads_back_and_holds_no_nan() -> None:
    report = video_report(FACTS, videos())
    assert json.loads(report.json())["auroc_causal"] == report.number("auroc_causal")
    with pytest.raises(ValueError, match="not JSON compliant"):
        Report({"auroc": float("nan")}).json()


def test_the_protocols_say_what_a_live_user_cannot_have() -> None:
    protocols = video_report(FACTS, videos()).figures["protocols"]
    assert isinstance(protocols, dict)
    text = protocols["auroc_micro"]
    assert "per-video min-max needs the whole video: not possible live" in text


def test_the_summary_has_the_figures_and_the_notes() -> None:
    report = video_report(FACTS, videos())
    text = "\n".join(summary_lines(report))
    assert f"AUROC {report.number('auroc_causal'):.3f} causal (live)" in text
    assert "promised 2.0" in text
    assert "note: " in text


def test_the_summary_of_unlabelled_videos_has_no_row_of_dashes() -> None:
    lines = summary_lines(video_report(FACTS, [video("a", None)]))
    assert all(line.startswith("note: ") for line in lines[1:])
    assert "note: no video has labels" in "\n".join(lines)
