"""How alike pictures are in structure and edges, and what is usual about the difference."""

import pytest
import torch
from torch import Generator, Tensor

from models.errors import TrainingError
from models.rebuilding import Pair, Rebuilding, rebuilding_losses
from models.similarity import gradient_similarity_map, ssim_map


def noise(count: int = 2, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 32, 48, generator=Generator().manual_seed(seed))


def test_a_picture_is_wholly_like_itself() -> None:
    for likeness in (ssim_map, gradient_similarity_map):
        likeness_map = likeness(noise(), noise())
        assert likeness_map.shape == (2, 32, 48)
        torch.testing.assert_close(likeness_map, torch.ones(2, 32, 48))


def test_structural_similarity_is_that_of_its_formula() -> None:
    one, two = noise(1, 1)[:, :1], noise(1, 2)[:, :1]
    y, x = 10, 20
    a, b = (p[0, 0, y - 3 : y + 4, x - 3 : x + 4].double() for p in (one, two))
    covariance = ((a - a.mean()) * (b - b.mean())).mean()
    light = (2 * a.mean() * b.mean() + 1e-4) / (a.mean() ** 2 + b.mean() ** 2 + 1e-4)
    spread = (2 * covariance + 9e-4) / (a.var(correction=0) + b.var(correction=0) + 9e-4)
    assert float(ssim_map(one, two)[0, y, x]) == pytest.approx(float(light * spread), abs=1e-4)


def test_edges_do_not_see_light_but_see_a_line() -> None:
    pictures = 0.5 * noise()
    torch.testing.assert_close(
        gradient_similarity_map(pictures + 0.3, pictures), torch.ones(2, 32, 48)
    )
    plain = torch.full((1, 3, 32, 48), 0.5)
    lined = plain.clone()
    lined[..., 24] = 1.0
    unlike = 1 - gradient_similarity_map(lined, plain)[0]
    assert unlike[:, 22:27].mean() > 0.4
    assert unlike[:, :8].max() < 0.01


def test_losses_are_named_and_zero_for_what_is_alike() -> None:
    for loss, names in (("mse", {"squared"}), ("ssim", {"ssim"}), ("both", {"squared", "ssim"})):
        terms = rebuilding_losses(noise(), noise(), loss)  # type: ignore[arg-type]
        assert set(terms) == names
        assert all(abs(float(term)) < 1e-5 for term in terms.values())


@pytest.mark.parametrize("measure", ["colour", "edges", "both"])
def test_a_difference_is_unusual_only_where_it_is_not_usual(measure: str) -> None:
    """The left half is always rebuilt badly; the same failure counts on the right alone."""

    def rebuild(clips: Tensor) -> Pair:
        bad = clips[:, 0].clone()
        bad[..., 8:12, 8:12] += torch.rand(len(clips), 1, 4, 4)
        return bad, clips[:, 0]

    torch.manual_seed(0)
    judge = Rebuilding((32, 48), measure)  # type: ignore[arg-type]
    judge.fit(rebuild, [torch.full((8, 1, 3, 32, 48), 0.4) for _ in range(4)])
    picture = torch.full((1, 3, 32, 48), 0.4)
    known, unknown = picture.clone(), picture.clone()
    known[..., 8:12, 8:12] += 0.5
    unknown[..., 8:12, 36:40] += 0.5
    assert judge(unknown, picture).max() > 3 * judge(known, picture).max()


def test_nothing_held_out_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no held-out clip"):
        Rebuilding((32, 48), "both").fit(lambda clips: (clips[:, 0], clips[:, 0]), [])
