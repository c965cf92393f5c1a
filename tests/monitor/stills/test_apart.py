"""Pictures that a model learned from are known again, whatever they are called."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import DataSetError
from monitor.stills.apart import noted_of_stills, open_again, part_in, parted_stills
from monitor.stills.opening import open_stills
from monitor.stills.split import split_stills
from monitor.stills.still import StillSet
from tests.monitor.stills.sets import mvtec, picture, pictures


def provenance(data: StillSet) -> dict[str, Any]:
    return dict(noted_of_stills(split_stills(data.train, 3), data))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return mvtec(tmp_path / "bottle", n_train=20)


def test_a_set_and_a_part_of_it_are_parted_as_when_they_were_learned_from(root: Path) -> None:
    data = open_stills(root)
    split = split_stills(data.train, 3)
    for named in (data, open_stills(root / "train" / "good")):
        parts = parted_stills(provenance(data), named)
        assert {one.path for one in parts.apart} == {one.path for one in split.calibration}
        assert len(parts.learned) == 16
    parts = parted_stills(provenance(data), open_stills(root / "test" / "good"))
    assert (len(parts.learned), len(parts.apart)) == (0, 2)


def test_of_a_set_that_has_grown_the_new_is_apart(root: Path) -> None:
    facts = provenance(open_stills(root))
    more = picture(root / "train" / "good" / "more.png", 77)
    parts = parted_stills(facts, open_stills(root))
    assert len(parts.apart) == 5
    assert more in {one.path for one in parts.apart}


def test_a_copy_under_other_names_is_known(root: Path, tmp_path: Path) -> None:
    facts = provenance(open_stills(root))
    for index, path in enumerate(sorted((root / "train" / "good").iterdir())):
        (tmp_path / "copy").mkdir(exist_ok=True)
        (tmp_path / "copy" / f"{index}-of-20.png").write_bytes(path.read_bytes())
    shutil.rmtree(root)
    parts = parted_stills(facts, open_stills(tmp_path / "copy", layout="plain"))
    assert (len(parts.learned), len(parts.apart)) == (16, 4)


def test_a_picture_that_took_the_place_of_another_is_where_most_was_learned(root: Path) -> None:
    data = open_stills(root)
    facts, split = provenance(data), split_stills(data.train, 3)
    learned, kept = split.fit[0].path, split.calibration[0].path
    assert learned is not None
    assert kept is not None
    kept.write_bytes(learned.read_bytes())
    (still,) = (one for one in open_stills(root).train if one.path == kept)
    assert part_in(facts, data)(still) == "fit"


def test_of_a_model_of_before_all_that_it_noted_was_learned_from(root: Path) -> None:
    data = open_stills(root)
    facts = {"learned": [name for name in provenance(data)["learned"] if "/" in name]}
    split = split_stills(data.train, 3, part_in(facts, data))
    learned = {one.path for one in parted_stills(facts, data).learned}
    assert len(learned) == 16
    assert learned <= {one.path for one in split.fit}
    assert split.counts() == {"fit": 16, "held_out": 2, "calibration": 2}


def test_classes_are_opened_as_they_were(tmp_path: Path) -> None:
    for seed, name in enumerate(("ape", "bee")):
        pictures(tmp_path / "train" / name, 10, seed=seed)
        pictures(tmp_path / "test" / name, 2, seed=seed + 10)
    data = open_stills(tmp_path, normal="bee")
    assert data.asked == "one-normal:bee"
    assert open_stills(tmp_path, protocol=data.asked).protocol == data.protocol
    parts = parted_stills(provenance(data), open_stills(tmp_path / "train" / "bee"))
    assert (len(parts.learned), len(parts.apart)) == (8, 2)
    facts = {"asked": data.asked}
    assert open_again(facts, str(tmp_path)).protocol == data.protocol
    assert len(open_again(facts, str(tmp_path / "train" / "ape")).train) == 10
    with pytest.raises(DataSetError, match="say which is normal"):
        open_again({}, str(tmp_path))
