"""What is peculiar to each of the autoencoders."""

import pytest
import torch

from models.detector import Budget
from models.detectors.conv3d_autoencoder import (
    Conv3dAutoencoder,
    Conv3dAutoencoderConfig,
    prediction_loss,
)
from models.detectors.conv_autoencoder import ConvAutoencoder, ConvAutoencoderConfig
from models.errors import OptionError
from models.registry import build
from tests.models.world import normal_clips


def test_near_futures_weigh_more() -> None:
    future = torch.zeros(1, 4, 1, 2, 2)
    foreseen = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1, 1).expand_as(future)
    by_hand = (4 * 1 + 3 * 4 + 2 * 9 + 1 * 16) / 16
    assert prediction_loss(foreseen, future).item() == pytest.approx(by_hand)


def test_the_future_is_not_looked_at() -> None:
    config = Conv3dAutoencoderConfig(size=(32, 32), widths=(4, 4, 4, 4), decoder_widths=(4, 4))
    detector = Conv3dAutoencoder(config).eval()
    clips = normal_clips(detector.spec, 1, seed=0)
    other = clips.clone()
    other[:, config.past :] = 0
    assert torch.equal(detector(clips).foreseen, detector(other).foreseen)
    other[:, config.past - 1] = 0
    assert not torch.equal(detector(clips).foreseen, detector(other).foreseen)


@pytest.mark.parametrize(
    ("name", "length", "target", "delay"),
    [
        ("conv_autoencoder", 10, -1, 0),
        ("conv3d_autoencoder", 32, -24, 23),  # frame 8 of the 16 that are rebuilt
        ("memae_video", 16, -8, 7),  # labels gt[8:-7] of the published code
    ],
)
def test_papers_say_which_frame_they_judge(name: str, length: int, target: int, delay: int) -> None:
    spec = build(name, "paper").spec
    assert (spec.length, spec.target, spec.delay) == (length, target, delay)
    assert build(name).spec.delay == 0


def test_the_mean_picture_is_learned_once_and_kept_when_going_on() -> None:
    config = ConvAutoencoderConfig(size=(32, 32), length=2, widths=(4, 4, 4))
    detector = ConvAutoencoder(config)
    first = [normal_clips(detector.spec, 4, seed=0)]
    detector.fit(first, first, budget=Budget(steps=1))
    torch.testing.assert_close(detector.background, first[0].mean(dim=(0, 1)))
    detector.fit([torch.zeros_like(first[0])], first, budget=Budget(steps=1))
    torch.testing.assert_close(detector.background, first[0].mean(dim=(0, 1)))


def test_the_papers_error_is_a_sum_over_the_frame() -> None:
    detector = ConvAutoencoder(
        ConvAutoencoderConfig(size=(32, 32), length=2, widths=(4, 4, 4), rule="paper")
    ).eval()
    detector.fitted = True
    clips = normal_clips(detector.spec, 2, seed=0)
    by_hand = (detector(clips)[:, -1] - clips[:, -1]).square().sum(dim=(1, 2, 3)).detach()
    torch.testing.assert_close(detector.score(clips), by_hand)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("conv3d_autoencoder", {"size": (33, 32)}, "multiples of 8"),
        ("conv3d_autoencoder", {"past": 12}, "past of 8, 16"),
        ("conv3d_autoencoder", {"future": 3}, "cannot foresee 3 frames from 8"),
        ("conv3d_autoencoder", {"decoder_widths": (8,)}, "2 decoder_widths or more"),
        ("memae_video", {"size": (32, 40)}, "multiples of 16"),
        ("memae_video", {"length": 6}, "got 128 x 192 and 6"),
        ("memae_video", {"widths": (1, 2, 3, 4, 5)}, "1 to 4 layers"),
    ],
)
def test_sizes_that_cannot_be_are_refused(name: str, options: dict[str, object], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        build(name, None, **options)
