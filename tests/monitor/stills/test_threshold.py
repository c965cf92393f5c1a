import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.errors import CalibrationError
from monitor.stills.threshold import StillCalibration, calibrate_scores

Series = NDArray[np.float64]


def normal(count: int, seed: int = 0) -> Series:
    return np.random.default_rng(seed).normal(size=count)


def by_hand(scores: Series, asked: float) -> float:
    """(1 + how many are at least so high) / (n + 1), counted one by one."""
    return (1 + sum(1 for score in scores if score >= asked)) / (len(scores) + 1)


def test_p_values_are_counted_where_there_are_normal_scores() -> None:
    scores = normal(57)
    found = calibrate_scores(scores)
    for asked in (-9.0, 0.0, float(scores[3]), float(np.sort(scores)[-1])):
        assert found.p_value(asked) == pytest.approx(by_hand(scores, asked))


def test_p_values_never_rise_with_the_score_and_go_below_one_in_n() -> None:
    found = calibrate_scores(normal(57))
    p = found.p_value(np.linspace(-5, 50, 5000))
    assert (np.diff(p) <= 0).all()
    assert 0 < p[-1] < 1e-3
    assert p[0] == 1


@pytest.mark.parametrize(("count", "share"), [(99, 0.01), (300, 0.01), (40, 0.1), (1000, 0.05)])
def test_enough_pictures_give_the_conformal_quantile(count: int, share: float) -> None:
    scores = normal(count)
    found = calibrate_scores(scores, share=share)
    allowed = int(np.floor(share * (count + 1) + 1e-9)) - 1  # of n, to be over the threshold
    assert (scores > found.threshold).sum() == allowed
    assert found.threshold in scores
    assert found.more == 0
    assert found.notes == ()
    just_over = np.nextafter(found.threshold, np.inf)
    assert found.p_value(just_over) <= share + 1e-12
    assert found.p_value(found.threshold) > share


def test_too_few_pictures_extrapolate_and_say_how_many_are_missing() -> None:
    scores = normal(42)
    found = calibrate_scores(scores, share=0.01)
    assert found.threshold > scores.max()
    assert found.p_value(found.threshold) == pytest.approx(0.01, rel=1e-6)
    assert found.more == 57
    assert found.vouched == pytest.approx(1 / 43)
    assert "42 normal pictures cannot vouch for a share of 0.01" in found.notes[0]
    assert "57 more are needed" in found.notes[0]
    assert calibrate_scores(normal(99), share=0.01).more == 0
    assert calibrate_scores(normal(98), share=0.01).more == 1


@pytest.mark.parametrize("law", ["exponential", "normal", "lognormal"])
@pytest.mark.parametrize("count", [14, 42, 120])
def test_the_promise_is_kept_on_average(law: str, count: int) -> None:
    """Calibrated again and again; the share of new normal scores over the threshold."""
    rng = np.random.default_rng(1)
    fresh = np.sort(getattr(rng, law)(size=40_000))
    shares = []
    for _ in range(400):
        threshold = calibrate_scores(getattr(rng, law)(size=count), share=0.01).threshold
        shares.append(1 - np.searchsorted(fresh, threshold) / len(fresh))
    most = {"exponential": 0.013, "normal": 0.013, "lognormal": 0.025}[law]  # the last: heavy
    assert np.mean(shares) < most


def test_display_is_0_at_the_median_and_1_at_the_threshold() -> None:
    found = calibrate_scores(normal(200))
    assert found.display([found.median, found.threshold]) == pytest.approx([0, 1])
    assert found.display(found.threshold + 10 * (found.threshold - found.median)) == (
        pytest.approx(11)
    )


def test_under_ten_pictures_nothing_is_extrapolated() -> None:
    scores = normal(6)
    found = calibrate_scores(scores)
    assert found.threshold == scores.max()
    assert found.p_value(99.0) == pytest.approx(1 / 7)
    assert any("under 10 normal pictures" in text for text in found.notes)


def test_plain_values_and_back() -> None:
    found = calibrate_scores(normal(30))
    plain = found.to_dict()
    assert plain["kind"] == "stills"
    again = StillCalibration.from_dict(plain)
    assert again.to_dict() == plain
    asked = np.linspace(-3, 9, 50)
    assert np.array_equal(again.p_value(asked), found.p_value(asked))


def test_one_for_video_is_told_apart() -> None:
    from monitor.alert_rule import AlertRule
    from monitor.calibration import Recording, calibrate

    scores = np.random.default_rng(0).normal(size=4000)
    video = calibrate(
        [Recording(scores, np.arange(4000) / 10)], AlertRule(), false_alarms_per_day=500
    )
    with pytest.raises(CalibrationError, match="calibration is damaged"):
        StillCalibration.from_dict(video.to_dict())
    damaged = calibrate_scores(normal(30)).to_dict()
    del damaged["median"]
    with pytest.raises(CalibrationError, match="median"):
        StillCalibration.from_dict(damaged)


@pytest.mark.parametrize(
    ("scores", "share", "said"),
    [
        ([], 0.01, "two normal pictures or more, got 0"),
        ([1.0], 0.01, "two normal pictures or more, got 1"),
        ([2.0] * 30, 0.01, "all 30 scores are 2: the detector tells nothing apart"),
        ([1.0, float("nan"), 2.0], 0.01, "1 of 3 scores are not finite"),
        (list(range(30)), 0.9, "would call typical pictures defective"),
        (list(range(30)), 0.0, "expected between 0 and 1"),
        (list(range(30)), 1.5, "expected between 0 and 1"),
    ],
)
def test_what_says_nothing_is_refused(scores: list[float], share: float, said: str) -> None:
    with pytest.raises(CalibrationError, match=said):
        calibrate_scores(scores, share=share)
