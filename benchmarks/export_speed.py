"""How much faster are exported models than torch, and do they find as much?

    python -m benchmarks.export_speed
    python -m benchmarks.export_speed --detector frame_prediction --preset lite --threads 1

One process; all ways take turns, repeated; medians of one clip alone, and the ratio to torch.
Without --model nothing is learned: what networks cost does not depend on it. Says nothing of
accuracy then; `oddwatch export` states it for a model.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from models.registry import build
from monitor.exporting import quantised_for_speed, unquantised
from monitor.model import Model, load_model
from monitor.runtimes import runtime_of
from monitor.runtimes.choosing import has_vnni, installed, make_runtime

CLIPS = 16  # to quantise by


def main() -> None:
    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(
        f"{torch.get_num_threads()} threads, {options.repeats} repeats, medians, VNNI {has_vnni()}"
    )
    for preset in options.presets:
        measure(preset, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="of oddwatch train; else one is made")
    parser.add_argument("--detector", default="frame_prediction")
    parser.add_argument("--presets", nargs="+", default=["paper", "lite"])
    parser.add_argument("--threads", type=int, help="else as many as the libraries take")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-int8", action="store_true")
    return parser.parse_args()


def made(preset: str, options: argparse.Namespace) -> Model:
    if options.model:
        return load_model(options.model)
    torch.manual_seed(0)
    detector = build(options.detector, preset).eval()
    detector.fitted = True
    return Model(detector, preset)


def measure(preset: str, options: argparse.Namespace) -> None:
    model = made(preset, options)
    spec = model.detector.spec
    shape = (CLIPS, spec.length, spec.channels, *spec.size)
    clips = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    ways: dict[str, Callable[[], object]] = {}
    ways["torch, eager"] = lambda: runtime_of(model.detector).examine(clips[:1])
    for form in ("openvino", "onnx"):
        whole = unquantised(model, form)  # type: ignore[arg-type]
        exports = [whole] if options.no_int8 else [whole, quantised_for_speed(whole, list(clips))]
        for exported in exports:
            for name in installed(exported.facts):
                if form == "onnx" and name == "openvino":
                    continue  # its own format is there
                runtime = make_runtime(exported, name, options.threads)
                what = f"{name}, {exported.facts.precision}"
                ways[what] = lambda runtime=runtime: runtime.examine(clips[:1])  # type: ignore[misc]
    seconds = turns(ways, options.repeats)
    print(f"\n{model.detector.name} {model.preset}, {spec.size[0]}x{spec.size[1]}")
    print(f"{'':24}{'ms a clip':>12}{'times torch':>14}")
    for what, found in seconds.items():
        print(f"{what:24}{1e3 * found:12.1f}{seconds['torch, eager'] / found:14.2f}")


def turns(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    found: dict[str, list[float]] = {what: [] for what in ways}
    for repeat in range(repeats + 1):  # the first is not counted
        for what, way in ways.items():
            began = time.perf_counter()
            way()
            if repeat:
                found[what].append(time.perf_counter() - began)
    return {what: median(taken) for what, taken in found.items()}


if __name__ == "__main__":
    main()
