"""Evidence of a scripted alert: what the files show, and that no half ones remain."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from monitor.clip_writer import ClipWriter
from monitor.errors import StoreError
from monitor.recorder import Evidence, EvidenceSettings, Recorder, safe_name
from monitor.records import Alert, EndedBy, Frame, Image, MapScale, Phase, Reading

SETTINGS = EvidenceSettings(pre_s=2.0, post_s=1.0)
ALERT = Alert("01HAAA", "door", "new", 1, 5.0, 5.5, 5.2, 0.9, 0.001)


def frame(time_s: float, epoch: int = 0) -> Frame:
    """Its brightness is its time, so that a clip's pictures tell theirs."""
    image = np.full((48, 64, 3), round(time_s * 20), np.uint8)
    return Frame(image, round(time_s * 10), time_s, epoch)


def reading(time_s: float, score: float = 0.9) -> Reading:
    heat = np.zeros((12, 16), np.float32)
    heat[3:6, 4:8] = score
    return Reading(frame(time_s), score, map=heat)


def phase(name: Phase, revision: int, end_s: float, ended_by: EndedBy = "") -> Alert:
    return replace(ALERT, phase=name, revision=revision, end_s=end_s, ended_by=ended_by)


def times_s() -> list[float]:
    """Ten per second, unevenly: every third is missing."""
    return [i / 10 for i in range(120) if i % 3]


def play(recorder: Recorder, script: dict[float, Callable[[], list[Evidence]]]) -> list[Evidence]:
    found: list[Evidence] = []
    for time_s in times_s():
        found += recorder.keep(frame(time_s))
        if time_s in script:
            found += script.pop(time_s)()
    return found + recorder.close()


def whole_alert(recorder: Recorder) -> list[Evidence]:
    return play(
        recorder,
        {
            5.5: lambda: recorder.follow(ALERT, reading(5.5)),
            7.0: lambda: recorder.follow(phase("update", 2, 7.0), reading(7.0, 0.5)),
            11.0: lambda: recorder.follow(phase("end", 3, 7.5)),
        },
    )


def decoded(path: Path) -> list[tuple[float, float]]:
    """(time, mean brightness) of each frame."""
    with av.open(str(path)) as container:
        return [
            (float(item.time or 0), float(item.to_ndarray(format="rgb24").mean()))
            for item in container.decode(video=0)
        ]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_an_alert_leaves_two_pictures_and_a_clip(tmp_path: Path) -> None:
    found = whole_alert(Recorder(tmp_path, "door", settings=SETTINGS))
    assert files(tmp_path) == ["01HAAA-plain.jpg", "01HAAA.jpg", "01HAAA.mp4"]
    folder = tmp_path / "door"
    assert found == [
        Evidence("01HAAA", folder / "01HAAA.jpg", folder / "01HAAA-plain.jpg"),
        Evidence("01HAAA", clip=folder / "01HAAA.mp4"),
    ]


def test_the_clip_has_pre_roll_and_post_roll_at_the_true_times(tmp_path: Path) -> None:
    whole_alert(Recorder(tmp_path, "door", settings=SETTINGS))
    expected = [time_s for time_s in times_s() if 3.0 <= time_s <= 8.5]
    clip = decoded(tmp_path / "door" / "01HAAA.mp4")
    assert [time_s for time_s, _ in clip] == pytest.approx(
        [time_s - expected[0] for time_s in expected], abs=1e-3
    )
    assert [light / 20 for _, light in clip] == pytest.approx(expected, abs=0.2)


def test_the_snapshot_shows_where_and_the_plain_one_is_untouched(tmp_path: Path) -> None:
    whole_alert(Recorder(tmp_path, "door", settings=SETTINGS))
    shown = cv2.imread(str(tmp_path / "door" / "01HAAA.jpg"))
    plain = cv2.imread(str(tmp_path / "door" / "01HAAA-plain.jpg"))
    assert shown is not None
    assert plain is not None
    assert np.ptp(plain) <= 3
    assert np.ptp(shown[12:24, 16:32].astype(int)) > 60
    assert abs(float(shown[40:, 50:].mean()) - 110) < 2  # the reading of 5.5 s, not the weaker one


def test_the_snapshot_is_on_the_models_scale(tmp_path: Path) -> None:
    for usual, coloured in ((0.0, True), (0.8, False)):
        scale = MapScale(usual, 1.2)
        whole_alert(Recorder(tmp_path, f"at {usual}", settings=SETTINGS, map_scale=scale))
        (shown,) = (cv2.imread(str(p)) for p in tmp_path.glob(f"at_{usual}*/01HAAA.jpg"))
        assert shown is not None
        assert (np.ptp(shown[12:24, 16:32].astype(int)) > 20) == coloured


def test_a_reading_without_a_map_gives_one_picture(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "door", settings=SETTINGS)
    found = recorder.follow(ALERT, replace(reading(5.5), map=None))
    assert found[0].plain is None
    assert files(tmp_path) == ["01HAAA.jpg"]


def test_a_stronger_reading_replaces_the_snapshot(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "door", settings=SETTINGS)
    recorder.follow(ALERT, reading(5.5, 0.9))
    assert recorder.follow(phase("update", 2, 6.0), reading(6.0, 1.5)) != []
    assert recorder.follow(phase("update", 3, 7.0), reading(7.0, 1.0)) == []


def test_a_reconnect_finishes_the_clip_with_what_there_is(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "door", settings=SETTINGS)
    for time_s in times_s()[:38]:
        recorder.keep(frame(time_s))
    recorder.follow(ALERT, reading(5.5))
    found = recorder.keep(frame(0.0, epoch=1))
    assert [evidence.clip for evidence in found] == [tmp_path / "door" / "01HAAA.mp4"]


def test_an_alert_ended_by_force_does_not_wait_for_its_post_roll(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "door", settings=SETTINGS)
    for time_s in times_s()[:38]:
        recorder.keep(frame(time_s))
    recorder.follow(ALERT)
    found = recorder.follow(phase("end", 2, 5.6, "max_length"))
    assert [evidence.clip is not None for evidence in found] == [True]


def test_a_clip_is_cut_at_its_greatest_length(tmp_path: Path) -> None:
    settings = replace(SETTINGS, longest_s=3.0)
    whole_alert(Recorder(tmp_path, "door", settings=settings))
    clip = decoded(tmp_path / "door" / "01HAAA.mp4")
    assert 2.7 < clip[-1][0] <= 3.0


def test_memory_is_bounded_by_bytes_and_by_time(tmp_path: Path) -> None:
    small = Recorder(tmp_path, "a", settings=replace(SETTINGS, ring_bytes=5_000))
    long = Recorder(tmp_path, "b", settings=SETTINGS)
    for i in range(400):
        small.keep(frame(i / 10 % 12, epoch=0) if i < 100 else replace(frame(9.0), time_s=i / 10))
        long.keep(replace(frame(1.0), time_s=i / 10))
    assert small._ring_bytes <= 5_000
    assert len(long._ring) == 171  # 2 s and 15 s at ten per second, both ends


def test_late_frames_are_left_out(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "door", settings=SETTINGS)
    for time_s in (1.0, 1.2, 1.1, 1.3):
        recorder.keep(frame(time_s))
    assert [kept.time_s for kept in recorder._ring] == [1.0, 1.2, 1.3]


# what can go wrong with a disk


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["mkdir", "fsync", "replace"])
def test_a_failing_disk_is_said_once_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, where, full)
    recorder = Recorder(tmp_path, "door", settings=SETTINGS)
    said = []
    for time_s in times_s():
        try:
            recorder.keep(frame(time_s))
            if time_s == 5.5:
                recorder.follow(ALERT, reading(5.5))
            if time_s == 11.0:
                recorder.follow(phase("end", 3, 7.5))
        except StoreError as error:
            said.append(str(error))
    assert len(said) == 1
    assert said[0].startswith("no evidence for alert 01HAAA: ")
    assert said[0].endswith("cannot be written (No space left on device)")
    assert files(tmp_path) == []


def test_a_disk_that_fills_while_a_clip_is_written_leaves_only_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, "door", settings=SETTINGS)
    for time_s in times_s()[:37]:
        recorder.keep(frame(time_s))
    recorder.follow(ALERT, reading(5.5))
    monkeypatch.setattr(ClipWriter, "write", full)
    with pytest.raises(StoreError, match="No space left"):
        recorder.keep(frame(5.8))
    assert recorder.keep(frame(5.9)) == []
    assert recorder.follow(phase("end", 2, 6.0, "gap")) == []
    assert files(tmp_path) == ["01HAAA-plain.jpg", "01HAAA.jpg"]


def test_the_next_alert_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(tmp_path, "door", settings=SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError):
            recorder.follow(ALERT, reading(5.5))
    assert recorder.follow(replace(ALERT, id="01HBBB"), reading(6.0)) != []


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "door").mkdir()
    (tmp_path / "door" / ".0123.part").write_bytes(b"half")
    Recorder(tmp_path, "door")
    assert files(tmp_path) == []


# the writer and the names


def test_odd_and_changing_sizes_are_encoded(tmp_path: Path) -> None:
    writer = ClipWriter(tmp_path / "a.mp4")
    sizes: list[tuple[int, int]] = [(47, 65), (47, 65), (96, 128)]
    for i, (height, width) in enumerate(sizes):
        image: Image = np.full((height, width, 3), 90, np.uint8)
        writer.write(image, 1.0 + i / 7)
    assert writer.finish() == tmp_path / "a.mp4"
    assert [time_s for time_s, _ in decoded(tmp_path / "a.mp4")] == pytest.approx(
        [0, 1 / 7, 2 / 7], abs=1e-3
    )


def test_a_clip_without_frames_is_no_file(tmp_path: Path) -> None:
    assert ClipWriter(tmp_path / "a.mp4").finish() is None
    assert files(tmp_path) == []


def test_without_an_h264_encoder_mpeg4_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    writer = ClipWriter(tmp_path / "a.mp4")
    for i in range(5):
        writer.write(frame(i / 10).image, i / 10)
    writer.finish()
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    assert [time_s for time_s, _ in decoded(tmp_path / "a.mp4")] == pytest.approx(
        [0, 0.1, 0.2, 0.3, 0.4], abs=1e-3
    )


def test_names_are_safe_distinct_and_tell_no_password() -> None:
    assert safe_name("door-2") == "door-2"
    assert safe_name("a/b") != safe_name("a_b") != safe_name("a b")
    for text in ("../../etc/passwd", "..", "", "con:cam?*", "x" * 300, "Tür"):
        name = safe_name(text)
        assert name
        assert not name.startswith(".")
        assert len(name) <= 80
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert "secret" not in safe_name("rtsp://me:secret@cam/1")
    assert "secret" not in safe_name("rtsp://me:se/cr@secret@cam/1?password=secret")
