"""Sizes of the networks against the papers', and what their shapes promise."""

import itertools
import math

import pytest
import torch

from models.networks.conv2d import StackAutoencoder
from models.networks.conv3d import Decoder3d, Encoder3d, channels_first, channels_third
from models.networks.discriminator import PatchDiscriminator
from models.networks.memory import Addressing, Memory, shrink
from models.networks.unet import UNet


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_papers_generator_has_its_number_of_parameters() -> None:
    # 43904 + 221440 + 885248 + 3539968 down, 2294528 + 573824 + 143552 up, 1731 out
    assert parameters(UNet(12, 3)) == 7_704_195


@pytest.mark.parametrize("unshuffle", [1, 2])
def test_unet_keeps_the_size(unshuffle: int) -> None:
    network = UNet(4, 1, width=4, depth=3, unshuffle=unshuffle)
    assert network.multiple == 4 * unshuffle
    assert network(torch.rand(2, 4, 24, 40)).shape == (2, 1, 24, 40)


def test_tanh_bounds_and_linear_does_not() -> None:
    pictures = 100 * torch.randn(1, 1, 16, 16)
    torch.manual_seed(0)
    assert UNet(1, 1, width=8, depth=2, output="tanh")(pictures).abs().max() <= 1
    assert UNet(1, 1, width=8, depth=2, output="linear")(pictures).abs().max() > 1


def test_the_discriminator_judges_35_by_35_patches() -> None:
    verdicts = PatchDiscriminator(3, width=4)(torch.rand(1, 3, 256, 256))
    assert verdicts.shape == (1, 1, 35, 35)
    assert 0 < verdicts.min() < verdicts.max() < 1


def test_the_papers_discriminator() -> None:
    widths = [3, 128, 256, 512, 512, 1]
    by_hand = sum(16 * a * b + b for a, b in itertools.pairwise(widths))
    assert parameters(PatchDiscriminator()) == by_hand


@pytest.mark.parametrize("unpooling", ["indices", "nearest"])
@pytest.mark.parametrize("size", [(227, 227), (128, 192), (32, 33)])
def test_the_stack_comes_back_at_its_size(unpooling: str, size: tuple[int, int]) -> None:
    network = StackAutoencoder(5, (4, 4, 4), unpooling=unpooling)  # type: ignore[arg-type]
    rebuilt = network(torch.rand(1, 5, *size))
    assert rebuilt.shape == (1, 5, *size)
    assert rebuilt.abs().max() <= 1


def test_channels_go_and_come_back() -> None:
    clips = torch.rand(2, 8, 1, 12, 16)
    volumes = channels_first(clips, 4)
    assert volumes.shape == (2, 16, 8, 3, 4)
    assert torch.equal(channels_third(volumes, 4), clips)


def test_the_published_coder_of_memae_is_mirrored() -> None:
    strides = [(1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)]
    encode = Encoder3d(1, [4, 4, 4, 4], strides).eval()
    decode = Decoder3d(4, [4, 4, 4, 1], strides[::-1]).eval()
    latents = encode(torch.rand(1, 1, 16, 64, 64))
    assert latents.shape == (1, 4, 2, 4, 4)
    assert decode(latents).shape == (1, 1, 16, 64, 64)


@pytest.mark.parametrize("addressing", ["cosine", "dot"])
def test_weights_of_a_memory_sum_to_one(addressing: Addressing) -> None:
    memory = Memory(50, 8, addressing=addressing)
    recall = memory(torch.randn(2, 8, 3, 4))
    assert recall.latents.shape == (2, 8, 3, 4)
    assert recall.weights.shape == (2, 50, 3, 4)
    torch.testing.assert_close(recall.weights.sum(dim=1), torch.ones(2, 3, 4))
    assert recall.weights.min() >= 0


def test_shrinkage_by_hand() -> None:
    shrunk = shrink(torch.tensor([0.5, 0.3, 0.15, 0.05]), 0.2)
    torch.testing.assert_close(shrunk, torch.tensor([0.625, 0.375, 0.0, 0.0]))


def test_a_flat_address_shrinks_to_itself_and_not_to_nothing() -> None:
    flat = torch.full((2000,), 1 / 2000)
    torch.testing.assert_close(shrink(flat, 0.0025), flat)


def test_the_largest_weight_survives_any_threshold() -> None:
    weights = torch.rand(20, 30).softmax(dim=-1)
    shrunk = shrink(weights, 0.9)
    assert torch.equal(shrunk.argmax(dim=-1), weights.argmax(dim=-1))
    torch.testing.assert_close(shrunk.sum(dim=-1), torch.ones(20))


def test_the_default_threshold_is_two_shares() -> None:
    assert Memory(100, 4).shrinkage == pytest.approx(0.02)


def test_a_gradient_passes_a_memory_of_2000() -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, 16, 2, 2, requires_grad=True)
    Memory(2000, 16, shrinkage=0.0025)(latents).latents.square().sum().backward()
    assert latents.grad is not None
    assert latents.grad.abs().max() > 0


def test_the_like_item_is_recalled() -> None:
    memory = Memory(3, 2, sharpness=50.0)
    memory.items.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    angle = 0.2
    asked = torch.tensor([math.cos(angle), math.sin(angle)]).reshape(1, 2, 1)
    torch.testing.assert_close(memory(asked).latents.flatten(), memory.items[0])
