"""Flow against known shifts of a smooth picture; loading of RAFT without a network."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import Tensor
from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

from models.errors import WeightsError
from models.flow import RaftFlow, flow_of_kind, lucas_kanade, warp
from models.losses import flow_loss


def waves(shift_x: float, shift_y: float, size: tuple[int, int] = (64, 96)) -> Tensor:
    """A smooth picture, moved right and down by that many pixels."""
    y = torch.arange(size[0], dtype=torch.float32)[:, None] - shift_y
    x = torch.arange(size[1], dtype=torch.float32)[None, :] - shift_x
    picture = (x / 7).sin() * (y / 6).cos() + 0.6 * (x / 13 + y / 11).sin()
    return (0.5 + 0.25 * picture)[None, None]


@pytest.mark.parametrize("shift", [(0.3, 0.0), (0.0, -0.6), (1.5, 0.75), (4.0, -3.0), (-7.0, 2.0)])
def test_the_flow_of_a_shifted_picture_is_the_shift(shift: tuple[float, float]) -> None:
    flow = lucas_kanade(waves(0, 0), waves(*shift))
    assert flow.shape == (1, 2, 64, 96)
    inner = flow[0, :, 12:-12, 12:-12]
    expected = torch.tensor(shift)[:, None, None].expand_as(inner)
    assert (inner - expected).abs().median() < 0.03
    assert (inner - expected).abs().quantile(0.9) < 0.25


def test_colour_and_luma_agree_on_gray_pictures() -> None:
    one, two = waves(0, 0), waves(1, 0)
    colour = lucas_kanade(one.expand(-1, 3, -1, -1), two.expand(-1, 3, -1, -1))
    torch.testing.assert_close(colour, lucas_kanade(one, two), atol=1e-4, rtol=1e-4)


def test_no_texture_no_flow() -> None:
    flat = torch.full((1, 1, 32, 32), 0.4)
    assert lucas_kanade(flat, flat + 0.1).abs().max() < 0.01


def test_warping_along_the_flow_gives_the_first_picture_back() -> None:
    flow = torch.tensor([3.0, -2.0])[None, :, None, None].expand(1, 2, 64, 96)
    warped = warp(waves(3, -2), flow)
    torch.testing.assert_close(warped[..., 4:-4, 4:-4], waves(0, 0)[..., 4:-4, 4:-4])


def test_the_flow_losss_gradient_reaches_the_generator() -> None:
    generator = torch.nn.Conv2d(1, 1, 3, padding=1)
    newest, target = waves(0, 0), waves(1.5, 0)
    predicted = target + 0.1 * generator(newest)
    loss = flow_loss(lucas_kanade(newest, predicted), lucas_kanade(newest, target).detach())
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = generator.weight.grad
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    assert gradient.abs().min() > 0


def test_a_step_down_the_flow_loss_makes_the_flow_better() -> None:
    newest, target = waves(0, 0), waves(1.0, 0)
    picture = newest.clone().requires_grad_()
    true = lucas_kanade(newest, target)
    before = flow_loss(lucas_kanade(newest, picture), true)
    (slope,) = torch.autograd.grad(before, picture)
    after = flow_loss(lucas_kanade(newest, picture - 1e-2 * slope / slope.abs().max()), true)
    assert after < before


def test_raft_loads_a_local_file_and_is_frozen(tmp_path: Path) -> None:
    network = raft_small(progress=False)
    torch.save(network.state_dict(), tmp_path / "raft.pth")
    flow = RaftFlow(tmp_path / "raft.pth")
    assert all(not parameter.requires_grad for parameter in flow.parameters())
    second = waves(1, 0, (40, 56)).requires_grad_()
    found = flow(waves(0, 0, (40, 56)), second)
    assert found.shape == (1, 2, 40, 56)
    found.abs().mean().backward()
    assert second.grad is not None
    assert second.grad.abs().max() > 0


def test_raft_without_its_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no RAFT weights at .*nowhere.pth"):
        RaftFlow(tmp_path / "nowhere.pth")


def test_raft_refuses_other_weights(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="does not hold the weights of torchvision's raft_small"):
        flow_of_kind("raft", str(tmp_path / "other.pth"))


def test_raft_that_cannot_be_downloaded_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(self: object, *args: object, **kwargs: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr(Raft_Small_Weights, "get_state_dict", no_network)
    with pytest.raises(WeightsError, match="name a local copy, or choose flow=lucas_kanade") as e:
        RaftFlow()
    assert "\n" not in str(e.value)


def test_flow_by_name() -> None:
    assert flow_of_kind("none") is None
    flow = flow_of_kind("lucas_kanade")
    assert flow is not None
    torch.testing.assert_close(
        flow(waves(0, 0), waves(1, 0)), lucas_kanade(waves(0, 0), waves(1, 0))
    )


@pytest.mark.gpu
def test_a_recorded_flow_and_its_gradient_are_the_flows() -> None:
    recorded = flow_of_kind("lucas_kanade")
    assert recorded is not None
    for shift in (0.5, 1.5, 1.0):
        newest, picture = waves(0, 0).cuda(), waves(shift, 0).cuda().requires_grad_()
        with torch.no_grad():
            true = recorded(newest, waves(1, 0).cuda())
        found = []
        for flow in (recorded, lucas_kanade):
            seen = flow(newest, picture)
            (slope,) = torch.autograd.grad(flow_loss(seen, true), picture)
            found.append((seen.detach().clone(), slope.clone()))
        torch.testing.assert_close(found[0], found[1], atol=1e-3, rtol=1e-3)


def test_a_known_flow_on_pictures_of_ten_pixels() -> None:
    """Smaller than the pyramid's end: one level, and nothing breaks."""
    assert lucas_kanade(waves(0, 0, (10, 12)), waves(0.2, 0, (10, 12))).shape == (1, 2, 10, 12)
