import torch
from torch import Tensor

from models.saliency import grad_cam


def test_a_linear_score_is_explained_by_its_own_weights() -> None:
    features = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)) - 0.5
    weights = torch.tensor([2.0, -1.0, 0.0])

    def score(maps: Tensor) -> Tensor:
        return maps.mean(dim=(2, 3)) @ weights

    scores, maps = grad_cam(features, score, (4, 4))
    torch.testing.assert_close(scores, score(features))
    gradient = weights[:, None, None] / 16  # of the mean over 16 places
    expected = (gradient * features).sum(dim=1).relu()
    torch.testing.assert_close(maps, expected)


def test_the_channel_that_raises_the_score_is_shown_where_it_is_high() -> None:
    features = torch.zeros(1, 2, 8, 8)
    features[0, 0, 1, 6] = 1.0  # raises
    features[0, 1, 5, 2] = 1.0  # lowers
    _, maps = grad_cam(features, lambda m: m[:, 0].sum((1, 2)) - m[:, 1].sum((1, 2)), (8, 8))
    assert maps.shape == (1, 8, 8)
    assert int(maps.flatten().argmax()) == 1 * 8 + 6
    assert float(maps[0, 5, 2]) == 0
    assert float(maps.min()) >= 0


def test_it_works_in_inference_mode_and_batch_mates_do_not_matter() -> None:
    with torch.inference_mode():
        features = torch.rand(3, 2, 4, 4)
        scores, maps = grad_cam(features, lambda maps: maps.square().mean(dim=(1, 2, 3)), (8, 8))
        alone = grad_cam(features[1:2], lambda maps: maps.square().mean(dim=(1, 2, 3)), (8, 8))
    assert not scores.requires_grad
    torch.testing.assert_close(maps[1:2], alone[1])
