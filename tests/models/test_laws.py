"""The laws that every detector obeys. A new one needs its line in a table, nothing else.

Video detectors have theirs in `tiny_videos`, those of still pictures in `tiny_stills`.
"""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch

import models.detectors
from models.checkpoint import Checkpoint, load, save
from models.detector import Budget
from models.errors import NotFittedError, OptionError, ShapeError, TrainingError
from models.registry import DETECTORS, build
from tests.models.learning import (
    ALL,
    calm,
    fitted,
    fresh,
    learn,
    near,
    planted,
    prominence,
    untrained,
)
from tests.models.tiny_stills import TINY_STILLS
from tests.models.tiny_videos import TINY

each = pytest.mark.parametrize("label", ALL)
videos = pytest.mark.parametrize("label", TINY)


def test_every_detector_of_the_table_is_under_the_laws() -> None:
    for table, kind in ((TINY, "video"), (TINY_STILLS, "image")):
        assert {label.split()[0] for label in table} == {
            name for name, detector in DETECTORS.items() if detector.kind == kind
        }


def test_every_file_of_the_folder_is_in_the_table_under_its_own_name() -> None:
    folder = Path(models.detectors.__path__[0])
    assert {file.stem for file in folder.glob("*.py")} - {"__init__"} == set(DETECTORS)
    for name, kind in DETECTORS.items():
        assert kind.__module__ == f"models.detectors.{name}"
        assert kind.paper
        assert kind.__doc__


@pytest.mark.parametrize("name", DETECTORS)
def test_lite_is_the_default_and_paper_can_be_chosen(name: str) -> None:
    kind = DETECTORS[name]
    assert kind.Config(**kind.presets["lite"]) == kind.Config()
    assert all(kind.Config(**kind.presets[p]) != kind.Config() for p in kind.presets if p != "lite")


@each
def test_a_score_before_fit_is_refused(label: str) -> None:
    detector = fresh(label)
    for ask in (detector.score, detector.explain, detector.reconstruct):
        with pytest.raises(NotFittedError, match=f"{detector.name} was asked for a score before"):
            ask(calm(detector))


@each
def test_a_wrong_shape_is_refused_with_both_shapes(label: str) -> None:
    detector = fitted(label)
    wrong = calm(detector)[..., :-1]
    T, C, H, W = detector.spec.length, detector.spec.channels, *detector.spec.size
    with pytest.raises(ShapeError) as refusal:
        detector.score(wrong)
    assert f"(B, {T}, {C}, {H}, {W})" in str(refusal.value)
    assert str(tuple(wrong.shape)) in str(refusal.value)
    with pytest.raises(ShapeError):
        fresh(label).fit([wrong], [wrong], budget=Budget(steps=1))


@each
def test_nothing_to_learn_from_is_an_error(label: str) -> None:
    with pytest.raises(TrainingError, match="no clip"):
        fresh(label).fit([], [], budget=Budget(steps=1))


@each
def test_findings_have_their_shapes_and_are_finite(label: str) -> None:
    detector = fitted(label)
    findings = detector.examine(calm(detector))
    assert findings.scores.shape == (12,)
    assert findings.maps.shape == (12, *detector.spec.size)
    assert {term.shape for term in findings.terms.values()} <= {(12,)}
    for values in (findings.scores, findings.maps, *findings.terms.values()):
        assert values.dtype == torch.float32
        assert torch.isfinite(values).all()
    assert findings.scores.std() > 0
    assert -detector.spec.length <= detector.spec.target <= -1


@each
def test_the_picture_it_expected_is_a_picture(label: str) -> None:
    detector = fitted(label)
    expected = detector.reconstruct(calm(detector))
    if expected is None:
        return
    assert expected.shape == (12, detector.spec.channels, *detector.spec.size)
    assert expected.min() >= 0
    assert expected.max() <= 1
    target = calm(detector)[:, detector.spec.target]
    assert (expected - target).abs().mean() < (target.mean() - target).abs().mean()


@each
def test_batch_mates_and_their_order_do_not_matter(label: str) -> None:
    detector = fitted(label)
    clips = torch.cat([calm(detector, 4), planted(detector, 2).clips])
    together = detector.score(clips)
    alone = torch.cat([detector.score(clip[None]) for clip in clips])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(detector.score(clips.flip(0)).flip(0), alone, rtol=1e-3, atol=1e-4)


@each
def test_clips_that_share_their_frames_memory_are_scored_alike(label: str) -> None:
    detector = fitted(label)
    length = detector.spec.length
    frames = torch.cat([*calm(detector, 1 + 3 // length)], dim=0)[: length + 2]
    shared = frames.unfold(0, length, 1).movedim(-1, 1)  # as sliding windows come
    assert torch.equal(detector.score(shared), detector.score(shared.contiguous()))


@pytest.mark.parametrize("label", [n for n in ALL if DETECTORS[n.split()[0]].concurrent])
def test_threads_at_the_same_time_get_what_one_gets(label: str) -> None:
    detector = fitted(label)
    batches = torch.split(calm(detector, 24), 3)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(detector.score, batches))
    for scores, batch in zip(found, batches, strict=True):
        torch.testing.assert_close(scores, detector.score(batch), rtol=1e-3, atol=1e-4)


@each
def test_scoring_changes_neither_the_detector_nor_the_clips(label: str) -> None:
    detector, clips = fitted(label), calm(fitted(label))
    before, untouched = copy.deepcopy(detector.state_dict()), clips.clone()
    first = detector.score(clips)
    detector.explain(clips)
    assert torch.equal(detector.score(clips), first)
    assert torch.equal(clips, untouched)
    for name, tensor in detector.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@each
def test_fitting_changes_the_parameters(label: str) -> None:
    before = fresh(label).state_dict()
    changed = [
        name
        for name, tensor in fitted(label).state_dict().items()
        if not torch.equal(tensor, before[name])
    ]
    learned = dict(fresh(label).named_parameters())
    assert not learned or set(changed) & set(learned)
    assert changed


@videos
def test_a_planted_anomaly_wins_in_score(label: str) -> None:
    detector = fitted(label)
    assert detector.score(planted(detector).clips).min() > detector.score(calm(detector)).max()


@videos
def test_a_planted_anomaly_wins_in_the_map(label: str) -> None:
    detector = fitted(label)
    scene = planted(detector)
    maps = detector.explain(scene.clips)
    peaks = maps.flatten(1).argmax(dim=1)
    hits = near(scene).flatten(1).gather(1, peaks[:, None]).float().mean()
    assert hits >= 0.9
    assert prominence(detector) > 2


@videos
def test_it_beats_its_own_untrained_network(label: str) -> None:
    assert prominence(fitted(label)) > prominence(untrained(label))


@each
def test_the_same_seed_gives_the_same_scores(label: str) -> None:
    one, two = (learn(fresh(label, seed=3), steps=4) for _ in range(2))
    assert torch.equal(one.score(calm(one)), two.score(calm(two)))


@each
def test_a_file_gives_the_same_bits_back(label: str, tmp_path: Path) -> None:
    detector = fitted(label)
    save(Checkpoint(detector), tmp_path / "model.pt")
    loaded = load(tmp_path / "model.pt").detector
    assert torch.equal(loaded.score(calm(detector)), detector.score(calm(detector)))
    assert loaded.spec == detector.spec
    assert loaded.config == detector.config
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    assert content["name"] == detector.name


@each
def test_its_config_rebuilds_it(label: str) -> None:
    detector = fresh(label)
    again = build(detector.name, preset=None, **asdict(detector.config))
    assert again.config == detector.config
    assert [p.shape for p in again.parameters()] == [p.shape for p in detector.parameters()]


@each
def test_it_goes_on_learning_where_it_stopped(label: str) -> None:
    detector = learn(fresh(label), steps=2)
    learn(detector, steps=3)
    assert detector.training_state.get("step", 5) == 5


@pytest.mark.parametrize("name", DETECTORS)
def test_an_unknown_option_names_the_nearest(name: str) -> None:
    option = fields(DETECTORS[name].Config)[0].name
    with pytest.raises(OptionError, match=f"did you mean '{option}'"):
        build(name, None, **{option + "x": 1})


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("frame_prediction", {"width": 0}, "frame_prediction: width is at least 1, got 0"),
        ("frame_prediction", {"learning_rate": -0.1}, "learning_rate is not negative, got -0.1"),
        ("frame_prediction", {"flow_weight": float("nan")}, "flow_weight is not negative, got nan"),
        ("memae_video", {"widths": (32, -1)}, "widths is at least 1, got -1"),
        ("motion", {"size": (0, 64)}, "size is at least 1, got 0"),
        ("motion", {"size": (64, 6400)}, "size is at most 2048 px a side, got 6400"),
        ("conv3d_autoencoder", {"halvings": -1}, "halvings is at least 0, got -1"),
    ],
)
def test_a_number_that_makes_no_detector_is_refused(
    name: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        build(name, **options)


@pytest.mark.gpu
@each
def test_cpu_and_gpu_agree(label: str) -> None:
    detector = copy.deepcopy(fitted(label))
    clips = calm(detector)
    on_cpu = detector.score(clips)
    on_gpu = detector.to("cuda").score(clips.to("cuda")).cpu()
    torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-2, atol=1e-3)
