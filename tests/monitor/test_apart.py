"""What a model learned from is known again, whatever it is called."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.apart import apart_of, has_learned_from, noted_of, parted, split_again
from monitor.datasets import DataSet, open_data
from monitor.errors import DataSetError
from monitor.training import Segment, Split, split_normal, whole_segments
from tests.monitor.footage import write_clip, write_set


def provenance(data: DataSet) -> dict[str, Any]:
    return noted_of(split_normal(data.train))


def learned_of(*segments: Segment) -> dict[str, Any]:
    noted: dict[str, Any] = noted_of(Split(segments, (), ()))["learned"]
    return noted


def names(segments: tuple[Segment, ...]) -> list[str]:
    return [Path(segment.video.path).name for segment in segments]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", n_train=9, n_frames=3)


def test_a_set_is_parted_as_when_it_was_learned_from(root: Path) -> None:
    parts = parted(provenance(open_data(root)), open_data(root))
    assert names(parts.apart) == ["07"]
    assert sorted(names(parts.learned)) == ["00", "01", "02", "03", "04", "05", "06", "08"]


@pytest.mark.parametrize(
    ("part", "apart", "learned"),
    [
        ("training/frames", ["07"], 8),
        ("training/frames/07", ["07"], 0),
        ("training/frames/02", [], 1),
        ("testing/frames/00", ["00"], 0),
    ],
)
def test_so_is_a_part_of_it(root: Path, part: str, apart: list[str], learned: int) -> None:
    parts = parted(provenance(open_data(root)), open_data(root / part))
    assert names(parts.apart) == apart
    assert len(parts.learned) == learned


def test_what_is_around_it_is_new(root: Path) -> None:
    facts = provenance(open_data(root / "training" / "frames" / "02"))
    parts = parted(facts, open_data(root))
    assert names(parts.learned) == ["02"]
    assert sorted(names(parts.apart)) == [f"{i:02d}" for i in range(9)]
    ends = [(s.start, s.stop) for s in parts.apart if Path(s.video.path).name == "02"]
    assert ends[0][0] > 0


def test_links_lead_there_and_other_footage_is_new(root: Path, tmp_path: Path) -> None:
    facts = provenance(open_data(root))
    (tmp_path / "link").symlink_to(root / "training")
    assert names(parted(facts, open_data(tmp_path / "link" / "frames")).apart) == ["07"]
    write_clip(tmp_path / "other", 3, seed=20)
    other = parted(facts, open_data(tmp_path / "other"))
    assert (len(other.learned), names(other.apart)) == (0, ["other"])
    assert names(parted({}, open_data(root / "training" / "frames" / "02")).apart) == ["02"]


def test_a_copy_elsewhere_is_known(root: Path, tmp_path: Path) -> None:
    facts = provenance(open_data(root))
    shutil.copytree(root / "training" / "frames", tmp_path / "copy")
    (tmp_path / "copy" / "02").rename(tmp_path / "copy" / "x02")
    shutil.rmtree(root)
    copied = open_data(tmp_path / "copy")
    assert names(parted(facts, copied).apart) == ["07"]
    assert has_learned_from(facts, copied.train)
    assert not has_learned_from(facts, [one for one in copied.train if one.name == "07"])


def test_a_copy_of_one_video_is_known_by_a_part_of_it(tmp_path: Path) -> None:
    write_clip(tmp_path / "door", 20, seed=1)
    data = open_data(tmp_path / "door")
    facts = provenance(data)
    shutil.copytree(tmp_path / "door", tmp_path / "gate")
    ends = [(s.start, s.stop) for s in parted(facts, open_data(tmp_path / "gate")).apart]
    assert ends == [(s.start, s.stop) for s in split_normal(data.train).calibration]
    noted = noted_of(split_normal(open_data(tmp_path / "gate").train), facts)["contents"]
    assert list(noted.values()) == [[str(tmp_path / "door"), str(tmp_path / "gate")]]


def test_what_labels_call_anomalous_is_not_normal_footage(root: Path) -> None:
    data = replace(open_data(root), train=())
    with pytest.raises(DataSetError, match="something anomalous in all of its 2 videos"):
        parted({}, data)
    calm = replace(data.test[0], labels=np.zeros(80, np.bool_))
    assert names(parted({}, replace(data, test=(calm, data.test[1]))).apart) == ["00"]


def test_a_model_that_notes_nothing_is_warned_of(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(parted({"data": str(root)}, open_data(root)).apart) == 9
    assert "nothing can be left out" in caplog.text


def test_of_a_set_that_has_grown_the_new_is_apart(root: Path) -> None:
    facts = provenance(open_data(root))
    write_clip(root / "training" / "frames" / "0a", 3, seed=20)
    assert sorted(names(parted(facts, open_data(root)).apart)) == ["07", "0a"]


def split_on(root: Path, facts: dict[str, Any]) -> dict[str, list[tuple[str, int, int]]]:
    parts = split_again(open_data(root).train, facts, span=1, rate_hz=None)
    return {
        name: sorted((Path(s.video.path).name, s.start, s.stop) for s in part)
        for name, part in vars(parts).items()
    }


def test_a_training_that_goes_on_leaves_every_frame_in_its_part(root: Path) -> None:
    facts = provenance(open_data(root))
    before = split_on(root, {})
    assert split_on(root, facts) == before
    write_clip(root / "training" / "frames" / "0a", 40, seed=20)
    after = split_on(root, facts)
    for name, part in before.items():
        assert set(part) < set(after[name])
    new = {name: set(after[name]) - set(part) for name, part in before.items()}
    assert new == {
        "fit": {("0a", 0, 23)},
        "held_out": {("0a", 23, 28)},
        "calibration": {("0a", 28, 40)},
    }


def test_a_copy_within_the_set_moves_no_original(root: Path) -> None:
    frames = root / "training" / "frames"
    shutil.rmtree(frames / "07")
    shutil.copytree(frames / "00", frames / "07")  # learned from, and kept apart
    facts = provenance(open_data(root))
    assert split_on(root, facts) == split_on(root, {})


def test_a_part_whose_videos_are_gone_is_said_before_anything_is_learned(root: Path) -> None:
    facts = provenance(open_data(root))
    shutil.rmtree(root / "training" / "frames" / "07")
    with pytest.raises(DataSetError, match="no video is left to set a threshold on of those"):
        split_on(root, facts)
    for index in range(8):  # new ones, of which the part gets its share
        write_clip(root / "training" / "frames" / f"n{index}", 3, seed=50 + index)
    assert [name for name, *_ in split_on(root, facts)["calibration"]] == ["n7"]


def test_what_a_video_has_grown_by_is_learned(tmp_path: Path) -> None:
    write_clip(tmp_path / "door", 20, seed=1)
    facts = provenance(open_data(tmp_path / "door"))
    before = split_on(tmp_path / "door", facts)
    for index in range(20, 25):
        shutil.copy(tmp_path / "door" / "000.jpg", tmp_path / "door" / f"{index:03d}.jpg")
    after = split_on(tmp_path / "door", facts)
    assert set(after["fit"]) == {*before["fit"], ("door", 20, 25)}
    assert [after[name] for name in ("held_out", "calibration")] == [
        before[name] for name in ("held_out", "calibration")
    ]


def test_what_an_earlier_training_learned_from_stays_noted(root: Path) -> None:
    facts = provenance(open_data(root))
    write_clip(root / "training" / "frames" / "0a", 3, seed=20)
    anew = split_normal(open_data(root).train)  # as of a model that does not note its parts
    noted = noted_of(anew, {"learned": facts["learned"]})["learned"]
    assert len(noted) == 10
    assert apart_of(anew.calibration, noted) == ()  # learned from, before the set grew
    assert names(parted({"learned": noted}, open_data(root)).apart) == []


def test_stretches_are_united_and_what_is_between_them_is_apart(tmp_path: Path) -> None:
    write_clip(tmp_path / "door", 20, seed=1)
    (whole,) = whole_segments(open_data(tmp_path / "door").train)
    parts = [replace(whole, start=a, stop=b) for a, b in ((12, 30), (2, 5), (4, 8), (8, 9))]
    noted = learned_of(*parts)
    assert list(noted.values()) == [[[2, 9], [12, 30]]]
    assert [(s.start, s.stop) for s in apart_of([whole], noted)] == [(0, 2), (9, 12)]
    late = replace(whole, start=4, stop=11)
    assert [(s.start, s.stop) for s in apart_of([late], noted)] == [(9, 11)]
    learned = parted({"learned": noted}, open_data(tmp_path / "door")).learned
    assert [(s.start, s.stop) for s in learned] == [(2, 9), (12, 20)]


def test_of_a_video_what_was_kept_apart_and_what_came_later_is_apart(tmp_path: Path) -> None:
    write_clip(tmp_path / "door", 20, seed=1)
    data = open_data(tmp_path / "door")
    parts = parted(provenance(data), data)
    split = split_normal(data.train)
    assert [(s.start, s.stop) for s in parts.apart] == [
        (s.start, s.stop) for s in split.calibration
    ]
    write_clip(tmp_path / "more", 25, seed=1)
    for index in range(20, 25):
        (tmp_path / "more" / f"{index:03d}.jpg").rename(tmp_path / "door" / f"{index:03d}.jpg")
    grown = parted(provenance(data), open_data(tmp_path / "door")).apart
    assert [(s.start, s.stop) for s in grown] == [(split.calibration[0].start, 25)]
