"""How much faster than a plain loop is a video scored, from the file to the last score?

    python -m benchmarks.rivals.against_plain_loop VIDEO
    python -m benchmarks.rivals.against_plain_loop VIDEO --preset paper --untrained --frames 120

A model is trained on the video for a few steps and exported, then the loop (`plain_loop.py`, with
the same weights) and oddwatch, on torch and exported, take turns over the file; medians, without
the time to load a model. oddwatch also makes a map of every frame and judges it by windows.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.rivals.plain_loop import PlainUNet, Plan, psnr_of_frames
from models.detector import Budget
from models.detectors.frame_prediction import FramePrediction
from monitor.datasets import open_data
from monitor.exporting import export_model, footage_of, quantised_for_speed, unquantised
from monitor.exporting.examples import video_examples
from monitor.model import Model
from monitor.pipeline import new_detector, train_model
from monitor.readings import readings_of
from monitor.runtimes import Exported

ASKED = 4.0  # times as fast
CLIPS = 16  # to quantise an untrained model by


@dataclass(frozen=True)
class Pass:
    """One way over the whole file."""

    seconds: float
    psnr_db: list[float]  # of each frame that was foretold
    scores: list[float]  # higher is odder


def main() -> None:
    options = arguments()
    model = trained(options)
    detector = model.trained()
    assert isinstance(detector, FramePrediction)
    ways = ways_of(model, detector, options)
    found: dict[str, list[Pass]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            found[name].append(way())
    report(found, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--preset", default="lite")
    parser.add_argument("--steps", type=int, default=200, help="of training")
    parser.add_argument("--untrained", action="store_true", help="what it costs does not change")
    parser.add_argument("--frames", type=int, help="of the video, at most; else all")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def trained(options: argparse.Namespace) -> Model:
    data = open_data(options.video)
    detector = new_detector("frame_prediction", options.preset, {}, data, seed=0)
    if options.untrained:
        detector.eval().fitted = True
        return Model(detector, options.preset)
    budget = Budget(steps=options.steps)
    return train_model(detector, data, budget=budget, preset=options.preset)


def ways_of(
    model: Model, detector: FramePrediction, options: argparse.Namespace
) -> dict[str, Callable[[], Pass]]:
    """The loop and oddwatch's runtimes; the loop first."""
    plain, plan = plain_of(detector)
    ways: dict[str, Callable[[], Pass]] = {
        "plain loop": lambda: looped(options, plain, plan),
        "oddwatch, torch": lambda: scored(options, model),
    }
    for name, exported in exports(model, options).items():
        other = replace(model, detector=exported)
        ways[f"oddwatch, {name}"] = lambda other=other: scored(options, other)  # type: ignore[misc]
    return ways


def exports(model: Model, options: argparse.Namespace) -> dict[str, Exported]:
    """In fp32 and int8; int8 of a trained model only if its scores agree."""
    if not options.untrained:
        footage = footage_of(model, open_data(options.video))
        whole = export_model(model, "openvino", footage)
        return {
            "OpenVINO": whole,
            "OpenVINO int8": export_model(model, "openvino", footage, precision="int8"),
        }
    whole = unquantised(model, "openvino")
    clips = list(video_examples(model, open_data(options.video)).learned)[:CLIPS]
    return {"OpenVINO": whole, "OpenVINO int8": quantised_for_speed(whole, clips)}


def plain_of(detector: FramePrediction) -> tuple[PlainUNet, Plan]:
    """The same network as the loop has it, checked against the product's own."""
    config = detector.config
    network = PlainUNet(
        config.channels * config.context,
        config.channels,
        width=config.width,
        depth=config.depth,
        unshuffle=config.unshuffle,
        tanh=config.output == "tanh",
    ).eval()
    network.load_state_dict(detector.network.state_dict())
    seen = tuple(i * config.stride for i in range(config.context))
    plan = Plan(config.size, config.channels == 1, seen, seen[-1] + config.gap, config.residual)
    noise = torch.rand(1, config.channels * config.context, *config.size)
    with torch.no_grad():
        difference = (network(noise) - detector.network(noise)).abs().max()
    assert difference < 1e-4, f"the loop's network differs by {difference}"
    return network, plan


def looped(options: argparse.Namespace, network: PlainUNet, plan: Plan) -> Pass:
    began = time.perf_counter()
    found = psnr_of_frames(options.video, network, plan, options.frames)
    return Pass(time.perf_counter() - began, found, [-value for value in found])


def scored(options: argparse.Namespace, model: Model) -> Pass:
    began = time.perf_counter()
    data = open_data(options.video)
    frames = islice((data.test or data.train)[0].frames(), options.frames)
    readings = list(readings_of(frames, model))
    seconds = time.perf_counter() - began
    return Pass(seconds, [-r.terms["psnr"] for r in readings], [r.score for r in readings])


def report(found: dict[str, list[Pass]], options: argparse.Namespace) -> None:
    first = found["plain loop"][0]
    trained_for = "untrained" if options.untrained else f"{options.steps} steps"
    print(f"{options.video.name}, frame_prediction {options.preset} ({trained_for})")
    print(f"{len(first.psnr_db)} frames scored, {options.threads} threads, medians of ", end="")
    print(options.repeats)
    print(f"{'':24}{'ms a frame':>12}{'times':>8}{'PSNR r':>10}{'rank':>8}{'score rank':>12}")
    loop_s = median(one.seconds for one in found["plain loop"])
    for name, passes in found.items():
        seconds = median(one.seconds for one in passes)
        one = passes[0]
        assert len(one.psnr_db) == len(first.psnr_db)
        print(
            f"{name:24}{1e3 * seconds / len(one.psnr_db):12.2f}{loop_s / seconds:8.2f}"
            f"{np.corrcoef(one.psnr_db, first.psnr_db)[0, 1]:10.4f}"
            f"{spearmanr(one.psnr_db, first.psnr_db).statistic:8.4f}"
            f"{spearmanr(one.scores, first.scores).statistic:12.4f}"
        )
    best = max(loop_s / median(one.seconds for one in passes) for passes in found.values())
    print(f"best {best:.2f} times the loop ({'met' if best >= ASKED else 'missed'}: {ASKED:g})")


if __name__ == "__main__":
    main()
