import subprocess
import sys
import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from monitor.evaluation import drawing, plots
from monitor.evaluation.gallery import misses_picture, video_pictures
from monitor.evaluation.metrics import BoolArray, FloatArray
from monitor.evaluation.pictures import (
    MissedFrame,
    MissPicture,
    misses_sheet,
    worst_misses,
)
from monitor.evaluation.results import VideoScores
from monitor.overlay import overlay, to_heat
from monitor.records import Alert, Image, MapScale

SCALE = MapScale(usual=1.0, high=3.0)


def video(name: str = "01", label: BoolArray | None = None) -> VideoScores:
    score = np.sin(np.arange(40) / 5)
    return VideoScores(name, np.arange(40), np.arange(40) / 10, score, label=label)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were drawn, in place of their pictures."""
    figures: list[Figure] = []

    def kept(figure: Figure) -> bytes:
        figures.append(figure)
        return b""

    monkeypatch.setattr(plots, "png", kept)
    return figures


def raised(start_s: float, end_s: float) -> Alert:
    return Alert("01HAAA", "01", "end", 3, start_s, end_s, start_s, 1.5, None)


def decode(png: bytes) -> Image:
    assert png.startswith(b"\x89PNG")
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.asarray(picture, np.uint8)


def has_colour(png: bytes, hexed: str) -> bool:
    wanted = [int(hexed[place : place + 2], 16) for place in (1, 3, 5)]
    return bool((np.abs(decode(png).astype(int) - wanted).max(axis=2) < 12).any())


HALF = np.arange(40) >= 20


def test_truth_threshold_and_alerts_show_where_there_are_any() -> None:
    bare = plots.score_curve(video())
    full = plots.score_curve(video(label=HALF), threshold=0.5, alerts=[raised(1.0, 2.0)])
    assert has_colour(bare, "#0072b2")
    assert not has_colour(bare, "#d55e00")
    assert has_colour(full, "#d55e00")
    assert (decode(full)[..., 2] < 215).mean() > (decode(bare)[..., 2] < 215).mean() + 0.1


def texts_of(figure: Figure) -> str:
    return " ".join(words.get_text() for words in figure.findobj(Text))


def test_only_what_is_there_is_named(drawn: list[Figure]) -> None:
    marks = ("dashed", "shaded", "bars", "strong")
    plots.overview([video()], alerts={"01": []})
    assert not any(mark in texts_of(drawn[0]) for mark in marks)
    plots.overview([video(label=np.zeros(40, np.bool_))], threshold=0.5)
    assert [mark in texts_of(drawn[1]) for mark in marks] == [True, False, False, False]
    level = replace(video(label=HALF), level=np.zeros(40))
    plots.overview([level], threshold=0.5, alerts={"01": [raised(1.0, 2.0)]})
    assert all(mark in texts_of(drawn[2]) for mark in marks)


def test_the_threshold_stands_beside_what_is_compared_with_it(drawn: list[Figure]) -> None:
    level = np.r_[[-np.inf] * 5, np.linspace(0, 1, 35)]
    plots.score_curve(replace(video(), level=level), threshold=0.5)
    raw, compared, threshold = drawn[0].axes[0].get_lines()
    np.testing.assert_array_equal(raw.get_ydata(), video().score)
    np.testing.assert_array_equal(compared.get_ydata(), np.where(level >= 0, level, np.nan))
    assert (raw.get_alpha() or 1) < 1
    assert np.asarray(threshold.get_ydata()).tolist() == [0.5, 0.5]
    assert "alert threshold\n(on the smoothed score)" in texts_of(drawn[0])


def test_no_title_says_all_where_it_is_not_all(drawn: list[Figure]) -> None:
    label, score = np.arange(2000) >= 1000, np.arange(2000) * 1.0
    plots.histogram(label, score)
    assert "100.0% of anomalous frames score above" in texts_of(drawn[0])
    score[1000:1003] = -1.0
    plots.histogram(label, score)
    plots.roc_plot(label, {"score": np.where(np.arange(2000) == 1000, 998.5, np.arange(2000))})
    assert "99.7% of anomalous frames score above" in texts_of(drawn[1])
    assert "Anomalous outranks normal 99.9% of the time" in texts_of(drawn[2])


def test_plots_come_out_for_odd_but_possible_inputs() -> None:
    one = VideoScores("x", np.array([3]), np.array([0.1]), np.array([1.0]), label=np.array([True]))
    same = np.zeros(40)
    for png in (
        plots.score_curve(one, threshold=1.0, alerts=[raised(0.1, 0.1)]),
        plots.histogram(HALF, same, threshold=0.0),
        plots.histogram(np.ones(40, np.bool_), same),
        plots.box_plot({"normal": same, "scratch": np.ones(1)}),
        plots.loss_curves([plots.LossPoint(1, 0.1, {"network/loss": -0.5})]),
    ):
        assert decode(png).std() > 1


def test_the_overview_keeps_to_what_fits_on_one_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "SHEET_VIDEOS", 3)
    sheets = [plots.overview([video(str(n)) for n in range(count)]) for count in (3, 4)]
    assert decode(sheets[0]).shape == decode(sheets[1]).shape


def test_generator_and_discriminator_have_a_panel_each() -> None:
    both = [
        plots.LossPoint(n, n / 10, {"generator/intensity": 1 / n, "discriminator/real": 0.3})
        for n in range(1, 60)
    ]
    alone = [plots.LossPoint(p.step, p.seconds, {"generator/intensity": 0.1}) for p in both]
    heights = [decode(plots.loss_curves(points)).shape[0] for points in (both, alone)]
    assert heights[0] > 1.5 * heights[1]


@pytest.mark.parametrize(("least", "scale"), [(0.1, "log"), (0.0, "linear"), (-2.0, "linear")])
def test_powers_are_the_scale_where_all_terms_of_a_panel_have_some(
    least: float, scale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []

    def kept(figure: Figure) -> bytes:
        drawn.append(figure)
        return drawing.png(figure)

    monkeypatch.setattr(plots, "png", kept)
    losses = [
        plots.LossPoint(n, 0.1, {"vae/likelihood": least, "vae/divergence": n / 5})
        for n in range(1, 7)
    ]
    with warnings.catch_warnings(action="error"):
        plots.loss_curves(losses)
    (axes,) = drawn[0].axes
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert low < least < 1.2 < high


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_no_tick_lies_between_two_steps(steps: int, drawn: list[Figure]) -> None:
    losses = [plots.LossPoint(n, 0.1, {"network/loss": 1 / n}) for n in range(1, steps + 1)]
    plots.loss_curves(losses)
    assert all(tick == round(tick) for tick in drawn[0].axes[-1].get_xticks())


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_plots_leave_pyplot_alone_and_only_they_need_matplotlib() -> None:
    assert "matplotlib.pyplot" not in modules_after("import monitor.evaluation.gallery")
    light = "import monitor.evaluation.page, monitor.evaluation.pictures"
    assert not {"matplotlib", "torch", "sklearn", "scipy"} & modules_after(light)


def gray(level: int = 100) -> Image:
    return np.full((48, 64, 3), level, np.uint8)


def laid_over(image: Image, anomaly_map: FloatArray, scale: MapScale) -> Image:
    return overlay(image, to_heat(anomaly_map, scale))


def test_a_normal_map_leaves_the_frame_as_it_is() -> None:
    np.testing.assert_array_equal(laid_over(gray(), np.full((12, 16), 0.9), SCALE), gray())


def test_only_the_hot_place_changes_and_it_is_outlined_in_white() -> None:
    heat = np.zeros((48, 64))
    heat[10:20, 10:20] = 3.0
    frame = gray()
    shown = laid_over(frame, heat, SCALE)
    np.testing.assert_array_equal(frame, gray())
    np.testing.assert_array_equal(shown[30:, 30:], gray()[30:, 30:])
    inside = shown[15, 15].astype(int)
    assert inside[0] > inside[2] + 50  # the hot end of inferno is yellow
    assert (shown[8:22, 8:22].min(axis=2) > 220).any()


def test_the_normal_part_of_the_scale_stays_clear_and_the_hot_part_does_not() -> None:
    ramp = np.tile(np.linspace(1, 13, 64), (48, 1))  # heat 0 to 2
    changed = np.abs(laid_over(gray(), ramp, MapScale(1.0, 7.0)).astype(int) - 100).sum(axis=2)[24]
    assert not changed[:14].any()
    assert (changed[33:] > 0).all()


def test_a_map_of_another_size_is_fitted_to_the_frame() -> None:
    heat = np.zeros((12, 16))
    heat[0, 0] = 9.0
    shown = laid_over(gray(), heat, SCALE)
    assert shown.shape == (48, 64, 3)
    assert (shown[:4, :4] != 100).any()
    assert (shown[24:] == 100).all()


def test_the_worst_misses_are_one_per_run_and_from_both_sides() -> None:
    label = (np.arange(40) // 10) % 2 == 1  # normal, anomalous, normal, anomalous
    score = np.where(label, 1.0, 0.0)
    score[[12, 13]] = [0.2, 0.1]
    score[[25, 26]] = [0.8, 0.9]
    given = VideoScores("v", np.arange(4, 44), np.arange(40) / 10, score, label=label)
    worst = worst_misses([given, video("unlabelled")], count=3)
    assert [(miss.index, miss.score, miss.anomalous) for miss in worst] == [
        (17, 0.1, True),
        (30, 0.9, False),
        (4, 0.0, False),
    ]


def test_the_sheet_has_a_column_more_with_reconstructions() -> None:
    miss = MissedFrame("v", 3, 0.3, 0.1, anomalous=True)
    plain = MissPicture(miss, gray(), np.zeros((12, 16)))
    full = MissPicture(miss, gray(), np.zeros((12, 16)), gray(120))
    narrow, wide = (decode(misses_sheet([p], SCALE)) for p in (plain, full))
    assert wide.shape[1] == pytest.approx(1.5 * narrow.shape[1], abs=2)
    assert misses_picture([plain], SCALE).name == "misses_sheet"


@pytest.mark.parametrize("name", ["b\udcff", r"a$\frac$", "two\nlines\x1b[1m"])
def test_any_name_of_a_file_can_be_drawn(name: str) -> None:
    sheet, curve = video_pictures([video(name)])
    assert decode(sheet.png).any()
    assert decode(curve.png).any()
    assert decode(plots.box_plot({name: np.arange(9.0)})).any()


def test_no_two_names_that_are_no_utf8_get_one_picture() -> None:
    pictures = video_pictures([video("b\udcff"), video("b\udcfe")])
    assert len({picture.name for picture in pictures}) == 3


def test_the_gallery_has_rankings_only_with_labels() -> None:
    unlabelled = [picture.name for picture in video_pictures([video("a/b")])]
    assert unlabelled == ["overview_sheet", "score_a_b"]
    labelled = [
        picture.name for picture in video_pictures([video(label=HALF)], flow=[np.zeros(40)])
    ]
    assert labelled == ["overview_sheet", "roc", "pr", "histogram", "box_by_class", "score_01"]
