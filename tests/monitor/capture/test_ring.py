"""What a reader copies is what was written, whole and in order, whatever the writer does."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from monitor.capture.records import NO_PLANES, PictureStats
from monitor.capture.ring import Head, Ring, RingError, SharedMemoryError, capacity_for
from monitor.capture.shared import create_block, sweep_stale
from monitor.records import Image

STATS = PictureStats(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
HAMMER = """
import sys, time
import numpy as np
from monitor.capture.records import PictureStats
from monitor.capture.ring import Head, Ring
ring = Ring.attach(sys.argv[1])
end_s = time.monotonic() + float(sys.argv[2])
value = 0
while time.monotonic() < end_s:
    value = ring.written + 1
    image = np.full((90, 160, 3), value % 251, np.uint8)
    stats = PictureStats(*[float(value)] * 7)
    ring.write(image, Head(0, value, value, float(value), float(value), (90, 160), stats))
print(value)
ring.close()
"""


def head(index: int) -> Head:
    return Head(0, index, 1, index / 10, 100 + index / 10, (2, 4), STATS)


def image(value: int, size: tuple[int, int] = (2, 4)) -> Image:
    return np.full((*size, 3), value, np.uint8)


@pytest.fixture(params=["shared", "private"])
def ring(request: pytest.FixtureRequest) -> Iterator[Ring]:
    made = Ring.create(4, 1000) if request.param == "shared" else Ring.private(4, 1000)
    yield made
    made.close()


def test_a_frame_comes_out_as_it_went_in(ring: Ring) -> None:
    assert ring.latest() is None
    assert ring.write(image(7), head(5)) == 1
    frame = ring.latest()
    assert frame is not None
    assert (frame.sequence, frame.index, frame.epoch) == (1, 5, 1)
    assert (frame.time_s, frame.received_s, frame.stats) == (0.5, 100.5, STATS)
    assert np.array_equal(frame.image, image(7))
    assert ring.latest(1) is None


def test_the_newest_is_copied_and_what_was_overwritten_is_counted(ring: Ring) -> None:
    for index in range(10):
        ring.write(image(index), head(index))
    newest = ring.latest()
    assert newest is not None
    assert (newest.sequence, newest.image[0, 0, 0]) == (10, 9)
    frames, missed = ring.since(3)
    assert [frame.sequence for frame in frames] == [7, 8, 9, 10]
    assert missed == 3
    heads, missed = ring.heads_since(8)
    assert [(entry.sequence, entry.index, missed) for entry in heads] == [(9, 8, 0), (10, 9, 0)]
    assert ring.read(6) is None


def test_a_copy_does_not_change_when_its_slot_does(ring: Ring) -> None:
    ring.write(image(1), head(0))
    frame = ring.latest()
    for index in range(5):
        ring.write(image(9), head(index))
    assert frame is not None
    assert frame.image.max() == 1


def test_pictures_of_other_sizes_fit_up_to_the_capacity(ring: Ring) -> None:
    ring.write(image(1, (3, 5)), head(0))
    assert ring.since(0)[0][0].image.shape == (3, 5, 3)
    with pytest.raises(RingError, match="20x20 does not fit into a slot of 1000 bytes"):
        ring.write(image(1, (20, 20)), head(0))
    assert ring.written == 1


def test_what_a_detector_takes_lies_beside_the_picture_where_there_is_room(ring: Ring) -> None:
    planes = np.arange(24, dtype=np.uint8).reshape(1, 4, 6)
    ring.write(image(7), head(0), planes)
    ring.write(image(8), head(1))
    ring.write(image(9), head(2), np.zeros((3, 40, 40), np.uint8))
    first, second, third = ring.since(0)[0]
    assert first.planes is not None
    assert np.array_equal(first.planes, planes)
    assert (first.image.max(), second.planes, third.planes) == (7, None, None)
    assert [entry.shape for entry in ring.heads_since(0)[0]] == [(1, 4, 6), NO_PLANES, NO_PLANES]


def test_a_frame_that_is_being_written_is_not_there(ring: Ring) -> None:
    ring.write(image(1), head(0))
    ring._heads[1]["guard"] = 2 * 5 - 1
    assert ring.latest() is None
    assert ring.since(0) == ([], 0)
    ring.write(image(2), head(1))
    frames, missed = ring.since(0)
    assert ([frame.sequence for frame in frames], missed) == ([2], 1)


def test_whoever_attaches_sees_the_frames_and_unlinks_nothing(ring: Ring) -> None:
    ring.write(image(3), head(0))
    other = Ring.attach(ring.name)
    seen = other.latest()
    assert seen is not None
    assert seen.image.max() == 3
    other.release(1)
    assert ring.waiting == 0
    other.close()
    ring.write(image(4), head(1))
    assert ring.waiting == 1
    again = Ring.attach(ring.name)
    assert again.written == 2
    again.close()


def test_a_closed_ring_is_gone() -> None:
    ring = Ring.create(2, 100)
    ring.close()
    ring.close()
    assert ring.latest() is None
    with pytest.raises(SharedMemoryError, match="gone"):
        Ring.attach(ring.name)


def test_only_pages_that_are_written_take_memory() -> None:
    ring = Ring.create(4, capacity_for(1920))
    path = Path("/dev/shm") / ring.name
    assert path.stat().st_size > 40_000_000
    ring.write(image(1, (96, 128)), head(0))
    assert path.stat().st_blocks * 512 < 200_000
    ring.close()


def test_no_read_is_torn_under_a_writer_that_never_waits() -> None:
    ring = Ring.create(2, 90 * 160 * 3)
    writer = subprocess.Popen(
        [sys.executable, "-c", HAMMER, ring.name, "1.0"], stdout=subprocess.PIPE, text=True
    )
    seen = read = lost = 0
    while writer.poll() is None:
        frames, missed = ring.since(seen)
        lost += missed
        for frame in frames:
            assert frame.sequence > seen
            assert frame.index == frame.sequence == frame.time_s == frame.stats.edges
            assert (frame.image == frame.sequence % 251).all()
            seen, read = frame.sequence, read + 1
    output = writer.communicate()[0]
    frames, missed = ring.since(seen)
    assert read + lost + len(frames) + missed == ring.written == int(output)
    assert read > 0
    ring.close()


def test_a_reader_that_is_killed_leaves_the_ring_to_its_maker() -> None:
    ring = Ring.create(2, 1000)
    code = "import sys; from monitor.capture.ring import Ring; Ring.attach(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, ring.name], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    time.sleep(0.1)
    Ring.attach(ring.name).close()
    ring.close()


def test_blocks_of_dead_processes_are_swept_and_others_stay(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    names = [f"oddwatch-{dead.pid}-0a", "oddwatch-1-0b", "another-9999999-0c", "oddwatch-x-0d"]
    for name in names:
        (tmp_path / name).touch()
    assert sweep_stale(tmp_path) == [names[0]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_too_little_shared_memory_is_said_before_it_kills() -> None:
    with pytest.raises(
        SharedMemoryError, match=r"needs \d+ MiB of shared memory, \d+ MiB are free"
    ):
        create_block(1 << 50)


def test_a_successor_goes_on_counting() -> None:
    ring = Ring.private(2, 100)
    for index in range(3):
        ring.write(image(index), head(index))
    after = ring.successor()
    assert after.latest(3) is None
    assert after.write(image(9), head(0)) == 4
    assert ring.written == 3
