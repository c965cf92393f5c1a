from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.augmentation import Augmentation
from models.detector import ClipSpec
from monitor.clips import prepare
from monitor.errors import CorruptFrameError, DataSetError, SourceError
from monitor.frame_cache import FrameCache
from monitor.records import Image
from monitor.stills.loader import StillLoader
from monitor.stills.split import split_stills
from monitor.stills.still import Still

SPEC = ClipSpec(1, 1, (8, 8))


class Counted:
    """A picture of one level that knows how often it was read."""

    def __init__(self, level: int, *, broken: bool = False) -> None:
        self.level, self.broken, self.reads = level, broken, 0

    def __call__(self) -> Image:
        self.reads += 1
        if self.broken:
            raise CorruptFrameError(f"{self.level}.png: it is cut off")
        return np.full((12, 10, 3), self.level, np.uint8)


def stills(readers: list[Counted]) -> list[Still]:
    return [Still(f"{r.level}.png", "good", label=False, read=r) for r in readers]


def levels(batches: list[torch.Tensor]) -> list[int]:
    return [round(float(picture.mean()) * 255) for batch in batches for picture in batch]


def test_batches_are_float_of_the_spec_and_in_order() -> None:
    loader = StillLoader(stills([Counted(i) for i in range(20)]), SPEC, batch=6)
    batches = list(loader)
    assert [tuple(b.shape) for b in batches] == [(5, 1, 3, 8, 8)] * 4  # of 20 by 6: evenly
    assert batches[0].dtype == torch.float32
    assert levels(batches) == list(range(20))
    assert levels(list(loader)) == list(range(20))


def test_the_last_batch_is_kept_and_never_a_single_picture() -> None:
    sizes = [len(b) for b in StillLoader(stills([Counted(i) for i in range(17)]), SPEC, batch=16)]
    assert sizes == [9, 8]


def test_shuffling_is_by_seed_and_another_order_every_epoch() -> None:
    def epochs(seed: int) -> list[list[int]]:
        loader = StillLoader(
            stills([Counted(i) for i in range(20)]), SPEC, batch=4, shuffle_seed=seed
        )
        return [levels(list(loader)) for _ in range(2)]

    first, again, other = epochs(0), epochs(0), epochs(1)
    assert first == again
    assert first[0] != first[1]
    assert first != other
    assert sorted(first[0]) == list(range(20))


def test_what_fits_is_read_once_and_the_rest_in_every_epoch() -> None:
    readers = [Counted(i) for i in range(10)]
    room = 4 * 3 * 8 * 8  # bytes, for four pictures
    loader = StillLoader(stills(readers), SPEC, batch=4, pool_bytes=room)
    for _ in range(3):
        assert levels(list(loader)) == list(range(10))
    assert [r.reads for r in readers] == [1] * 4 + [3] * 6


def test_a_cache_saves_the_next_training_all_reading(tmp_path: Path) -> None:
    def made(readers: list[Counted]) -> list[Still]:
        return [replace(s, path=tmp_path / s.name) for s in stills(readers)]

    for still in made([Counted(i) for i in range(6)]):
        assert still.path is not None
        still.path.write_bytes(b"as good as a picture")
    found = []
    for reads in ([1] * 6, [1, 0, 0, 0, 0, 0]):  # what is broken is read each time
        readers = [Counted(i, broken=i == 0) for i in range(6)]
        loader = StillLoader(made(readers), SPEC, batch=4, cache=FrameCache(tmp_path / "cache"))
        found.append(levels(list(loader)))
        assert [r.reads for r in readers] == reads
        assert list(loader.broken) == ["0.png"]
    assert found == [[1, 2, 3, 4, 5]] * 2


def test_gray_is_luma() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    still = Still("a", "", None, lambda: colour)
    found = next(iter(StillLoader([still], ClipSpec(1, 1, (8, 8), channels=1), batch=4)))
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert (found[0, 0, 0].numpy() * 255) == pytest.approx(luma, abs=0.6)


def test_a_broken_picture_is_named_and_left_out() -> None:
    readers = [Counted(i, broken=i == 3) for i in range(6)]
    loader = StillLoader(stills(readers), SPEC, batch=4)
    for _ in range(2):
        assert levels(list(loader)) == [0, 1, 2, 4, 5]
    assert loader.broken == {"3.png": "3.png: it is cut off"}
    assert readers[3].reads == 1
    with pytest.raises(CorruptFrameError, match=r"3\.png"):
        list(StillLoader(stills([Counted(3, broken=True)]), SPEC, batch=4, strict=True))


def test_nothing_to_read_is_said() -> None:
    loader = StillLoader(stills([Counted(i, broken=True) for i in range(3)]), SPEC, batch=2)
    with pytest.raises(SourceError, match=r"none of 3 pictures can be read, such as: \d\.png"):
        list(loader)
    assert list(StillLoader([], SPEC, batch=2)) == []


def test_augmentation_is_drawn_anew_and_leaves_what_is_kept_alone() -> None:
    def noise() -> Image:
        return np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)

    still = Still("a", "", None, noise)
    loader = StillLoader([still], SPEC, batch=1, shuffle_seed=0, augment=Augmentation(light=0.2))
    first, second = next(iter(loader)), next(iter(loader))
    assert not torch.equal(first, second)
    plain = StillLoader([still], SPEC, batch=1)
    assert np.array_equal((next(iter(plain))[0, 0].numpy() * 255).round(), prepare(noise(), SPEC))


def test_the_split_is_by_seed_and_shares_nothing() -> None:
    items = stills([Counted(i) for i in range(200)])
    parts = split_stills(items, 0)
    assert parts.counts() == {"fit": 140, "held_out": 20, "calibration": 40}
    names = [s.name for part in (parts.fit, parts.held_out, parts.calibration) for s in part]
    assert sorted(names) == sorted(s.name for s in items)
    assert split_stills(items, 0) == parts
    assert split_stills(items, 1) != parts
    assert parts.notes() == []


@pytest.mark.parametrize(
    ("count", "counts"),
    [(2, (1, 1, 0)), (3, (2, 1, 0)), (4, (1, 1, 2)), (9, (6, 1, 2)), (5000, (4000, 500, 500))],
)
def test_few_and_many_pictures(count: int, counts: tuple[int, int, int]) -> None:
    parts = split_stills(stills([Counted(i) for i in range(count)]), 0)
    assert tuple(parts.counts().values()) == counts
    assert bool(parts.notes()) == (count < 10)
    if count < 10:
        assert f"only {count} normal pictures" in parts.notes()[0]


def test_one_picture_and_none_are_refused() -> None:
    with pytest.raises(DataSetError, match=r"one normal picture \(7\.png\) does not tell"):
        split_stills(stills([Counted(7)]), 0)
    with pytest.raises(DataSetError, match="no normal picture to learn from"):
        split_stills([], 0)
