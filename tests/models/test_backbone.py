import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torchvision.models import resnet18, resnet34, resnet50

from models.errors import WeightsError
from models.networks import backbone
from models.networks.backbone import Backbone, downloaded, fitting, read_weights, remarks


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision would have it: ResNet-18, whatever its weights."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet18(weights=None).state_dict(), path)
    return path


def test_features_are_those_of_torchvision_s_own_network(published: Path) -> None:
    whole = resnet18(weights=None)
    whole.load_state_dict(read_weights(published))
    whole.eval().double()  # in which processors round alike
    ours = Backbone("resnet18")
    ours.take(str(published), [])
    ours.double()
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    mean, deviation = torch.tensor(backbone.IMAGENET).reshape(2, 1, 3, 1, 1)
    with torch.no_grad():
        x = whole.maxpool(whole.relu(whole.bn1(whole.conv1((pictures - mean) / deviation))))
        for layer, found in zip(("layer1", "layer2", "layer3"), ours(pictures), strict=True):
            x = getattr(whole, layer)(x)
            torch.testing.assert_close(found, x)


def test_gray_counts_as_colour(published: Path) -> None:
    ours = Backbone("resnet18")
    gray = torch.rand(1, 1, 32, 32)
    for one, three in zip(ours(gray), ours(gray.repeat(1, 3, 1, 1)), strict=True):
        assert torch.equal(one, three)


def test_weights_under_a_key_are_found(published: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": read_weights(published), "epoch": 90}, tmp_path / "whole.pth")
    assert "conv1.weight" in read_weights(tmp_path / "whole.pth")


def test_another_backbone_s_weights_are_refused_with_both_names(published: Path) -> None:
    with pytest.raises(WeightsError, match="are of resnet18, expected wide_resnet50_2's; set "):
        fitting(read_weights(published), "wide_resnet50_2", "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth are of resnet34, expected resnet18's$"):
        fitting(resnet34(weights=None).state_dict(), "resnet18", "w.pth")
    with torch.device("meta"):
        deep = resnet50(weights=None).state_dict()
    with pytest.raises(WeightsError, match="resnet50"):
        fitting(deep, "wide_resnet50_2", "w.pth")
    with pytest.raises(WeightsError, match="of no network that is known here"):
        fitting({"a": torch.zeros(1)}, "resnet18", "w.pth")


def test_a_missing_a_broken_and_a_foreign_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.pth: No such file"):
        read_weights(tmp_path / "gone.pth")
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(WeightsError, match="no file of plain tensors"):
        read_weights(tmp_path / "text.pth")
    torch.save(resnet18, tmp_path / "code.pth")  # a pickled object: never run
    with pytest.raises(WeightsError, match="no file of plain tensors"):
        read_weights(tmp_path / "code.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds no state_dict"):
        read_weights(tmp_path / "list.pth")


def test_without_a_network_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_args: object, **_options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(WeightsError) as refusal:
        downloaded("resnet18")
    said = str(refusal.value)
    assert "resnet18-f37072fd.pth (no route to host)" in said
    assert "weights=PATH" in said
    assert "\n" not in said


def test_torch_s_own_words_are_not_among_what_programs_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def speaking(*_args: object, **_named: object) -> dict[str, torch.Tensor]:
        sys.stdout.write("Downloading\n")
        return {}

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", speaking)
    assert downloaded("resnet18") == {}
    assert capsys.readouterr() == ("", "Downloading\n")


def test_random_weights_are_drawn_anew_and_their_batch_norm_fits_the_pictures() -> None:
    ours = Backbone("resnet18")
    before = ours.state_dict()["stem.0.weight"].clone()
    pictures = 0.2 + 0.1 * torch.rand(8, 3, 32, 32)
    ours.take("random", [pictures])
    assert not torch.equal(ours.state_dict()["stem.0.weight"], before)
    found = ours.stem[1](ours.stem[0]((pictures - ours.shift) / ours.scale))
    torch.testing.assert_close(found.mean(dim=(0, 2, 3)), torch.zeros(64), atol=1e-3, rtol=0)
    assert not ours.training


def test_random_weights_are_marked_and_others_say_where_they_are_from() -> None:
    assert "RANDOM" in remarks("resnet18", "random")[0]
    assert "my.pth" in remarks("resnet18", "my.pth")[0]
    assert "IMAGENET1K_V1" in remarks("resnet18", "download")[0]
