import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import CheckpointError, ModelError
from models.spec import ClipSpec
from monitor.clips import at_rate
from monitor.config.settings import EngineSettings
from monitor.errors import MonitorError, StoreError, UsageError
from monitor.exporting.formats import as_openvino
from monitor.live.messages import ModelFailed, ModelLoaded
from monitor.live.scorer import Scorer
from monitor.live.scoring_link import loading
from monitor.model import load_model, save_model
from monitor.runtimes import (
    Exported,
    Facts,
    choose_runtime,
    read_export,
    runtime_of,
    write_export,
)
from monitor.runtimes.choosing import make_runtime
from monitor.runtimes.graphs import GraphError
from monitor.stills.model import load_still_model
from tests.monitor.runtimes.conftest import World


def clips_for(exported: Exported, count: int, seed: int = 0) -> np.ndarray:
    spec = exported.spec
    shape = (count, spec.length, spec.channels, *spec.size)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def facts_in(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as file:
        found: dict[str, Any] = json.loads(file.read("model.json"))
        return found


def with_facts(path: Path, folder: Path, plain: object) -> Path:
    """A copy of an export whose model.json holds something else."""
    place = folder / "other.oddwatch"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(place, "w") as new:
        new.writestr("model.json", json.dumps(plain))
        for name in old.namelist()[1:]:
            new.writestr(name, old.read(name))
    return place


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_every_runtime_says_what_torch_says_whatever_the_batch(world: World, name: str) -> None:
    clips = clips_for(world.onnx, 5)
    wanted = runtime_of(world.model.detector).examine(clips)
    runtime = make_runtime(world.onnx, name)
    whole, single = runtime.examine(clips), runtime.examine(clips[3:4])
    assert whole.scores == pytest.approx(wanted.scores, rel=1e-4)
    assert whole.maps == pytest.approx(wanted.maps, rel=1e-3, abs=1e-5)
    assert set(whole.terms) == {"mean_error", "worst_window", "psnr"}
    assert whole.terms["psnr"] == pytest.approx(wanted.terms["psnr"], rel=1e-4)
    assert single.scores[0] == pytest.approx(whole.scores[3], rel=1e-5)
    assert np.ptp(whole.scores) > 0


def test_a_graph_of_one_clip_at_a_time_gives_the_same(world: World) -> None:
    clips = clips_for(world.onnx, 3)
    one = replace(world.onnx, facts=replace(world.onnx.facts, batch=1))
    wanted = make_runtime(world.onnx, "onnxruntime").examine(clips)
    found = make_runtime(one, "onnxruntime").examine(clips)
    assert found.scores == pytest.approx(wanted.scores, rel=1e-5)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_lanes_side_by_side_say_what_one_says(world: World, name: str) -> None:
    clips = [clips_for(world.onnx, 2, seed=seed) for seed in range(24)]
    alone = make_runtime(world.onnx, name)
    wanted = [alone.examine(pair) for pair in clips]
    beside = make_runtime(world.onnx, name, lanes=4)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(beside.examine, clips))
    for one, other in zip(found, wanted, strict=True):
        assert one.scores == pytest.approx(other.scores, rel=1e-5)
        assert one.maps == pytest.approx(other.maps, rel=1e-4, abs=1e-6)


def test_a_failure_leaves_every_lane_free(world: World) -> None:
    runtime = make_runtime(world.onnx, "openvino", lanes=2)
    clips = clips_for(world.onnx, 1)
    for _ in range(3):  # more often than there are lanes
        with pytest.raises(GraphError):
            runtime.examine((clips[..., :-1],))
    assert runtime.examine(clips).scores.shape == (1,)


def test_openvinos_own_format_gives_the_same(world: World, tmp_path: Path) -> None:
    facts = replace(world.onnx.facts, graph="openvino")
    write_export(Exported(facts, as_openvino(world.onnx.parts[0])), tmp_path / "own.oddwatch")
    own = read_export(tmp_path / "own.oddwatch")
    assert own is not None
    clips = clips_for(world.onnx, 2)
    wanted = make_runtime(world.onnx, "openvino").examine(clips)
    assert make_runtime(own, "openvino").examine(clips).scores == pytest.approx(wanted.scores)
    with pytest.raises(UsageError, match="onnxruntime does not take a model exported to openvino"):
        choose_runtime(own, "onnxruntime")


def test_findings_are_not_written_over_by_the_next(world: World) -> None:
    runtime = make_runtime(world.onnx, "openvino")
    first = runtime.examine(clips_for(world.onnx, 1, seed=1))
    kept = first.maps.copy()
    runtime.examine(clips_for(world.onnx, 1, seed=2))
    assert np.array_equal(first.maps, kept)


def test_clips_of_another_shape_or_type_are_refused(world: World) -> None:
    runtime = make_runtime(world.onnx, "onnxruntime")
    clips = clips_for(world.onnx, 1)
    with pytest.raises(GraphError, match=r"takes clips of shape \(B, .* got \(1, 2, 1, 32, 48\)"):
        runtime.examine(clips[:, :2])
    with pytest.raises(GraphError, match="float32"):
        runtime.examine(clips.astype(np.float32))


def test_a_file_gives_back_all_that_was_written(world: World) -> None:
    again = read_export(world.onnx_file)
    assert again is not None
    assert again.facts == world.onnx.facts
    assert again.parts == world.onnx.parts
    assert again.digest == world.onnx.digest
    model = load_model(world.onnx_file)
    assert model.rate_hz == world.model.rate_hz
    assert model.calibrated().rule == world.model.calibrated().rule
    assert model.map_scale == world.model.map_scale


def test_it_holds_no_pickle_and_is_as_plain_as_can_be(world: World) -> None:
    with zipfile.ZipFile(world.onnx_file) as file:
        assert file.namelist() == ["model.json", "model.onnx"]
        assert json.loads(file.read("model.json"))["oddwatch"]


def test_an_exported_model_takes_a_new_calibration_but_does_not_learn(
    world: World, tmp_path: Path
) -> None:
    model = load_model(world.onnx_file)
    model.calibration = None
    save_model(model, tmp_path / "bare.oddwatch")
    bare = load_model(tmp_path / "bare.oddwatch")
    assert bare.calibration is None
    assert isinstance(bare.detector, Exported)
    assert bare.detector.digest == world.onnx.digest
    with pytest.raises(UsageError, match="expected the model of train that it was exported from"):
        bare.trained()


def test_what_is_no_export_is_left_to_others(world: World, tmp_path: Path) -> None:
    assert read_export(world.trained) is None
    assert read_export(tmp_path / "nothing") is None
    (tmp_path / "text").write_text("not a model")
    assert read_export(tmp_path / "text") is None


def test_a_damaged_file_is_named(world: World, tmp_path: Path) -> None:
    content = bytearray(world.onnx_file.read_bytes())
    middle = content.find(b"model.onnx") + 500
    content[middle : middle + 50] = bytes(50)
    broken = tmp_path / "broken.oddwatch"
    broken.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a whole exported model"):
        read_export(broken)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_file_that_was_cut_is_a_damaged_export(
    world: World, tmp_path: Path, share: float
) -> None:
    content = world.onnx_file.read_bytes()
    cut = tmp_path / "cut.oddwatch"
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        CheckpointError, match=r"not a whole exported model \(it is cut short, .*\)"
    ):
        load_model(cut)


def test_a_cut_model_of_train_is_left_to_torch(world: World, tmp_path: Path) -> None:
    content = world.trained.read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: len(content) // 2])
    assert read_export(tmp_path / "cut.pt") is None
    middle = content.rfind(b"PK\x01\x02")
    (tmp_path / "broken.pt").write_bytes(content[:middle] + b"\0" * 4 + content[middle + 4 :])
    assert read_export(tmp_path / "broken.pt") is None


def test_any_changed_byte_is_an_error_in_words(tmp_path: Path) -> None:
    facts = Facts("any", "video", "lite", ClipSpec(2, 1, (4, 4), 1), "onnx", "fp32", (), 0)
    place = tmp_path / "small.oddwatch"
    write_export(Exported(facts, (b"graph",)), place)
    content = place.read_bytes()
    for at in range(len(content)):
        place.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        with suppress(CheckpointError):
            read_export(place)


ANSWERS_EXPECTED = "answers: expected scores and maps, 2 numbers each, or null"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "sound"}, "kind: expected video or image, got 'sound'"),
        ({"graph": "tensorrt"}, "graph: expected onnx or openvino or none, got 'tensorrt'"),
        ({"graph": []}, r"graph: expected .*, got \[\]"),
        ({"terms": "psnr"}, "terms: expected a list of names, got 'psnr'"),
        ({"provenance": None}, "provenance: expected values by name, got None"),
        ({"report": []}, r"report: expected values by name, got \[\]"),
        ({"answers": {"scores": [1.0]}}, f"{ANSWERS_EXPECTED}, got {{'scores': .*"),
        ({"answers": {"scores": [1.0, 2.0], "maps": [1.0, "a"]}}, f"{ANSWERS_EXPECTED}, got .*"),
        ({"calibration": 3}, "calibration: expected values by name or null, got 3"),
        ({"batch": 0}, "batch: expected a whole number from 1 or null, got 0"),
        ({"parameters": "many"}, "parameters: expected a whole number, got 'many'"),
        ({"detector": None}, "detector: expected a text, got None"),
        ({"spec": [1]}, r"spec: expected values by name, got \[1\]"),
        ({"spec.length": 0}, "spec.length: expected a whole number from 1, got 0"),
        ({"spec.stride": True}, "spec.stride: expected a whole number from 1, got True"),
        ({"spec.size": [32]}, r"spec.size: expected height and width, .* got \[32\]"),
        ({"spec.channels": 2}, "spec.channels: expected 1 or 3, got 2"),
        ({"spec.target": 0}, "spec.target: expected -3 to -1, got 0"),
        ({"graph": "none"}, "expected a graph or a prelude, got neither"),
    ],
)
def test_facts_that_do_not_fit_are_named(
    world: World, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    plain = facts_in(world.onnx_file)
    for key, value in change.items():
        place = plain["spec"] if key.startswith("spec.") else plain
        place[key.removeprefix("spec.")] = value
    place = with_facts(world.onnx_file, tmp_path, plain)
    with pytest.raises(CheckpointError, match=rf"not a whole exported model \({said}\); export"):
        read_export(place)


def test_facts_that_lack_something_or_are_none_are_named(world: World, tmp_path: Path) -> None:
    plain = facts_in(world.onnx_file)
    del plain["terms"]
    with pytest.raises(CheckpointError, match="terms: expected a list of names, got nothing"):
        read_export(with_facts(world.onnx_file, tmp_path, plain))
    with pytest.raises(CheckpointError, match=r"expected facts by name, got \[\]"):
        read_export(with_facts(world.onnx_file, tmp_path, []))


@pytest.mark.parametrize("inside", [False, True])
def test_facts_that_are_not_known_are_of_another_version(
    world: World, tmp_path: Path, inside: object
) -> None:
    plain = facts_in(world.onnx_file)
    (plain["spec"] if inside else plain)["tiles"] = 4
    plain["oddwatch"] = "9.1"
    said = rf"another version \(oddwatch 9\.1, .*\): {'spec.' if inside else ''}tiles is not known"
    with pytest.raises(CheckpointError, match=said):
        read_export(with_facts(world.onnx_file, tmp_path, plain))


def test_another_version_of_the_file_is_named(world: World, tmp_path: Path) -> None:
    later = tmp_path / "later.oddwatch"
    with zipfile.ZipFile(later, "w") as file:
        plain = {"format": "oddwatch export", "version": 2, "oddwatch": "9.1"}
        file.writestr("model.json", json.dumps(plain))
    with pytest.raises(CheckpointError, match=r"version 2 \(oddwatch 9\.1\).* reads 1"):
        read_export(later)


def test_a_disk_that_fails_leaves_what_was_there(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "kept.oddwatch"
    place.write_bytes(b"as it was")

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("monitor.runtimes.exported.write_atomically", full)
    with pytest.raises(StoreError, match="No space left"):
        write_export(world.onnx, place)
    assert place.read_bytes() == b"as it was"


def test_cuda_and_the_wrong_half_are_refused(world: World) -> None:
    with pytest.raises(UsageError, match="runs on the CPU"):
        load_model(world.onnx_file, "cuda")
    with pytest.raises(UsageError, match="which watches video"):
        load_still_model(world.onnx_file)


def test_a_trained_model_runs_on_torch_alone(world: World) -> None:
    choose_runtime(world.model.detector, "torch")
    with pytest.raises(UsageError, match="oddwatch export MODEL --to onnx"):
        choose_runtime(world.model.detector, "onnxruntime")
    with pytest.raises(UsageError, match="'tensorrt' is not known"):
        choose_runtime(world.model.detector, "tensorrt")


def test_the_scoring_process_takes_the_runtime_of_the_configuration(world: World) -> None:
    scorer = Scorer(stale_s=1)
    load = loading(EngineSettings(runtime="onnxruntime"))
    (exported,) = scorer.answer(load(str(world.onnx_file)))
    assert isinstance(exported, ModelLoaded)
    assert exported.runtime == "onnxruntime"
    (trained,) = scorer.answer(load(str(world.trained)))
    assert isinstance(trained, ModelFailed)
    assert trained.text.startswith("a model of train runs on torch: for onnxruntime")
    scorer.close()


def test_bytes_and_floats_are_the_same_to_torch(world: World) -> None:
    clips = clips_for(world.onnx, 2)
    runtime = runtime_of(world.model.detector)
    wanted = runtime.examine(torch.from_numpy(clips) / 255)
    assert np.array_equal(runtime.examine(clips).scores, wanted.scores)


NUMBERS = (-1, 0, True, float("nan"), float("inf"), 10**400)
DAMAGES: tuple[object, ...] = (None, "x", *NUMBERS, [], ["x"], [0, 0], {}, {"x": 1})


def leaves(plain: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in plain.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from leaves(value, (*before, key))


def damaged(plain: dict[str, Any], where: tuple[str, ...], value: object) -> dict[str, Any]:
    inner = value if len(where) == 1 else damaged(plain[where[0]], where[1:], value)
    return plain | {where[0]: inner}


def test_any_damaged_value_is_refused_in_one_line_or_can_be_used(
    world: World, tmp_path: Path
) -> None:
    with zipfile.ZipFile(world.onnx_file) as file:
        plain = json.loads(file.read("model.json"))
    place, lines = tmp_path / "damaged.oddwatch", list[str]()
    parts = [path for path in leaves(plain) if path[0] not in ("report", "answers")]
    for where, value in product(parts, DAMAGES):
        with zipfile.ZipFile(place, "w") as file:
            file.writestr("model.json", json.dumps(damaged(plain, where, value)))
            file.writestr("model.onnx", b"graph")
        try:
            model = load_model(place)
            model.check_picture((48, 64), "a video")
            list(at_rate([], model.rate_hz))
            if model.calibration is not None:
                known = model.calibration.at_rate(3.0).for_sparse_readings()
                assert np.isfinite(known.display([0.0, 1.0])).all()
                assert 0 < known.p_value(1.0) <= 1
            assert model.map_scale is None or np.isfinite(model.map_scale).all()
        except (MonitorError, ModelError) as error:
            lines.append(str(error))
    assert len(lines) > 400
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, r"edited.oddwatch is .*format: expected .*, got 'other'"),
        ({"version": "1"}, r"of file version '1' .*, this program reads 1; export it again$"),
        (None, r"edited.oddwatch is not a whole exported model \(it lacks model.json\)"),
        ({}, r"edited.oddwatch: .*does not take this export: .*; export it again$"),
    ],
)
def test_what_is_wrong_with_an_edited_export_names_the_file_and_what_to_do(
    world: World, tmp_path: Path, change: dict[str, object] | None, said: str
) -> None:
    with zipfile.ZipFile(world.onnx_file) as file:
        plain = json.loads(file.read("model.json"))
    place = tmp_path / "edited.oddwatch"
    with zipfile.ZipFile(place, "w") as file:
        file.writestr("model.onnx", b"")
        if change is not None:
            file.writestr("model.json", json.dumps(plain | change))
    with pytest.raises((MonitorError, ModelError), match=said):
        runtime_of(load_model(place).detector)
