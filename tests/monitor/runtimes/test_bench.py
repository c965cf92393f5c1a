import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import monitor.demo
from models.registry import DETECTORS, kind_of
from monitor import benching
from monitor.benching import Bench, Cost, Speed, bench, cameras
from monitor.cli import main
from monitor.model import Model, load_model
from monitor.records import Clip
from tests.monitor.runtimes.conftest import World

TWENTY = Speed("d", "openvino", "fp32", 10.0, Cost(0.001, 0.001), Cost(0.010, 0.020))
MACHINE = Bench("v", (1, 1), 25.0, 4, Cost(0.002, 0.002), Cost(0.001, 0.001), (TWENTY,), None)


def test_cameras_are_what_the_processors_and_the_scorer_carry_in_time() -> None:
    # a camera costs 25 x 2 ms of decoding, 10 x 2 ms of watching and 2 x 20 ms of scoring: 110 ms
    # of 0.8 x 4 s
    assert cameras(MACHINE, TWENTY, 2.0, 1000) == 29
    # at 20 a second one scorer of 10 ms has 5 cameras' worth in a second, of which 0.8 are used
    assert cameras(replace(MACHINE, cores=64), TWENTY, 20.0, 1000) == 4
    # all due at once, the last waits for all clips: 10 ms each, 4 ms before they come
    assert cameras(MACHINE, TWENTY, 2.0, 100) == 9
    assert cameras(MACHINE, TWENTY, 2.0, 4) == 0
    assert cameras(MACHINE, replace(TWENTY, failed="it does not take it"), 2.0, 1000) == 0


def test_clips_lie_as_far_apart_as_a_live_camera_scores_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a detector of motion would be asked for one flow where it owes five."""
    seen: list[int] = []

    def none_of(_model: object, clips: Sequence[Clip], *, exports: bool) -> Iterator[Speed]:
        assert exports
        seen.extend(clip.target.index for clip in clips)
        return iter(())

    monkeypatch.setattr(benching, "_runtimes", none_of)
    monkeypatch.setattr(Model, "rate_hz", 10.0)
    bench(load_model(world.onnx_file), Path(monitor.demo.__file__ or "").with_name("highway.mp4"))
    assert len(seen) > 5
    assert set(np.diff(seen)) == {5}


@pytest.mark.slow
def test_without_a_model_every_video_detector_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bench", "--json", "--rate", "2"])
    assert left.value.code == 0
    plain = json.loads(capsys.readouterr().out)
    video = [name for name in DETECTORS if kind_of(name).kind == "video"]
    assert [speed["detector"] for speed in plain["speeds"]] == video
    assert all(speed["cameras"]["2"] >= 0 and not speed["failed"] for speed in plain["speeds"])
    assert plain["under_ms"] == 1000


@pytest.mark.slow
def test_a_model_s_runtimes_are_measured(world: World) -> None:
    video = Path(monitor.demo.__file__ or "").with_name("highway.mp4")
    found = bench(load_model(world.onnx_file), video)
    assert [speed.runtime for speed in found.speeds] == ["openvino", "onnxruntime"]
    assert all(speed.cost.wall_s > 0 and not speed.failed for speed in found.speeds)
    assert found.end_to_end is not None
    assert found.decode.wall_s > 0
    assert found.watch.cpu_s > 0
    assert all(0 < speed.watched_hz <= found.rate_hz for speed in found.speeds)


@pytest.mark.parametrize(
    ("camera", "shown"),
    [("rtsp://me:hunter2@h/x", "rtsp://h/x"), ("0", "0"), ("/dev/video0", "/dev/video0")],
)
def test_a_camera_is_no_video_to_measure(
    capsys: pytest.CaptureFixture[str], camera: str, shown: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bench", "--video", camera])
    assert left.value.code == 2
    assert capsys.readouterr().err == (
        f"oddwatch: --video {shown}: expected a file, got a camera, whose frames come no faster "
        "than it takes them: record a minute of it, and give that\n"
    )


def test_what_there_is_no_video_of_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bench", "--video", "nothing.mp4"])
    assert left.value.code == 1
    assert "nothing.mp4" in capsys.readouterr().err
