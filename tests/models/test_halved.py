import copy

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from models.detector import Detector
from models.halved import MOST_SHAPES, Halved, Replay, cuda_graph, halved
from tests.models.learning import calm, fitted

NETWORKS = ["frame_prediction", "frame_prediction paper", "conv_autoencoder", "memae_video"]


@pytest.mark.parametrize("label", [*NETWORKS, "conv3d_autoencoder", "fusion"])
def test_networks_alone_are_halved_and_clips_keep_their_order(label: str) -> None:
    detector = fitted(label)
    half = halved(detector, torch.bfloat16)
    assert any(isinstance(module, Halved) for module in half.modules())
    assert not any(isinstance(module, Halved) for module in detector.modules())
    noise = torch.Generator().manual_seed(0)
    clips = calm(detector)
    clips = torch.cat([(clips + amount * torch.randn(clips.shape, generator=noise)).clamp(0, 1)
                       for amount in (0, 0.05, 0.1, 0.2)])  # fmt: skip
    whole, found = detector.examine(clips), half.examine(clips)
    assert found.scores.dtype == found.maps.dtype == torch.float32
    assert not torch.equal(found.scores, whole.scores)
    assert spearmanr(found.scores, whole.scores).statistic > 0.98


def test_what_has_no_network_stays_as_it_is() -> None:
    motion = fitted("motion")
    clips = calm(motion)
    assert torch.equal(halved(motion, torch.bfloat16).score(clips), motion.score(clips))


class Recorder:
    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.replayed = 0

    def __call__(self, run: Replay, example: Tensor) -> Replay:
        self.shapes.append(tuple(example.shape))

        def replay(x: Tensor) -> Tensor:
            self.replayed += 1
            return run(x)

        return replay


def test_a_shape_is_recorded_once_and_only_so_many_are() -> None:
    record = Recorder()
    network = Halved(nn.Conv2d(1, 2, 3), torch.bfloat16, record)
    for _ in range(2):
        for batch in range(1, MOST_SHAPES + 3):
            assert network(torch.rand(batch, 1, 5, 5)).shape == (batch, 2, 3, 3)
    assert [shape[0] for shape in record.shapes] == list(range(1, MOST_SHAPES + 1))
    assert record.replayed == 2 * MOST_SHAPES


def test_what_gives_more_than_a_tensor_is_not_recorded() -> None:
    class Two(nn.Module):
        multiple = 4

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.layer(x), x

    record = Recorder()
    network = Halved(Two(), torch.bfloat16, record)
    assert [part.dtype for part in network(torch.rand(1, 1, 5, 5))] == [torch.float32] * 2
    assert record.shapes == []
    assert network.multiple == 4


@pytest.mark.gpu
@pytest.mark.parametrize("label", NETWORKS)
def test_a_recorded_pass_says_what_the_detector_says(label: str) -> None:
    detector: Detector = copy.deepcopy(fitted(label)).to("cuda")
    quick = halved(detector, record=cuda_graph)
    clips = calm(detector).to("cuda")
    for _ in range(3):
        torch.testing.assert_close(quick.score(clips), detector.score(clips), rtol=1e-2, atol=1e-3)
