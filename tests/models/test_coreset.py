import torch

from models.coreset import cover, nearest, projected


def points(count: int, width: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_the_farthest_is_always_chosen_next() -> None:
    line = torch.tensor([[0.0], [1.0], [10.0], [4.0]])
    assert cover(line, 3).tolist() == [0, 2, 3]


def test_a_cover_is_as_good_as_greed_can_make_it() -> None:
    rows = points(300)
    chosen = cover(rows, 40)
    assert len(set(chosen.tolist())) == 40
    distances = torch.cdist(rows, rows)
    picked = [0]  # the same by hand
    for _ in range(39):
        picked.append(int(distances[:, picked].min(dim=1).values.argmax()))
    assert chosen.tolist() == picked
    reach = distances[:, chosen].min(dim=1).values.max()
    by_chance = distances[:, torch.arange(40)].min(dim=1).values.max()
    assert reach < by_chance


def test_equal_rows_need_one_that_stands_for_them() -> None:
    assert cover(torch.ones(20, 4), 10).tolist() == [0]
    assert len(cover(points(5), 10)) == 5


def test_it_stops_when_told_with_one_row_at_least() -> None:
    assert cover(points(50), 10, go_on=lambda: False).tolist() == [0]


def test_projection_about_keeps_distances() -> None:
    rows = points(40, 800)
    flat = projected(rows, 256, torch.Generator().manual_seed(1))
    assert flat.shape == (40, 256)
    apart = ~torch.eye(40, dtype=torch.bool)
    ratio = torch.cdist(flat, flat)[apart] / torch.cdist(rows, rows)[apart]
    assert float(ratio.min()) > 0.75
    assert float(ratio.max()) < 1.25
    assert torch.equal(projected(points(4, 8), 8, torch.Generator()), points(4, 8))


def test_distances_in_parts_are_those_of_the_whole() -> None:
    rows, memory = points(2500, 8), points(50, 8, seed=1)
    distance, item = nearest(rows, memory)
    whole = (rows[:, None] - memory).norm(dim=2).min(dim=1)
    torch.testing.assert_close(distance, whole.values, rtol=1e-4, atol=1e-4)
    assert torch.equal(item, whole.indices)


def test_a_row_that_is_remembered_has_no_distance() -> None:
    memory = 100 + points(200, 16)
    distance, item = nearest(memory[50:90], memory)
    assert item.tolist() == list(range(50, 90))
    assert float(distance.max()) == 0
