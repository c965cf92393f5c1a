"""How much faster are exported models than torch, and do they find as much?

    python -m benchmarks.export_speed
    python -m benchmarks.export_speed --detector frame_prediction --preset lite --threads 1

One process; all ways take turns, repeated; medians of one clip alone, and the ratio to plain torch.
"plain" is what one writes first: the same layers and weights called in eager mode, in torch's own
memory layout, one clip at a time, its PSNR as the score and no map (of `frame_prediction` only).
"eager" is the product's detector, map and all, whose networks are laid out channels last.
Without --model nothing is learned: what networks cost does not depend on it. Says nothing of
accuracy then; `oddwatch export` states it for a model.
"""

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from models.detectors.frame_prediction import FramePrediction
from models.registry import build
from monitor.cpu import has_bf16, has_vnni
from monitor.exporting import in_bf16, quantised_for_speed, unquantised
from monitor.model import Model, load_model
from monitor.runtimes import runtime_of
from monitor.runtimes.choosing import installed, make_runtime

Bytes = NDArray[np.uint8]  # (B, T, C, H, W)
Way = Callable[[Bytes], object]

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
    parser.add_argument(
        "--processor", action="store_true", help="processor time, for a busy machine; --threads 1"
    )
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
    shape = (max(CLIPS, options.repeats + 1), spec.length, spec.channels, *spec.size)
    clips = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    ways: dict[str, Way] = {}
    detector = model.trained()
    if isinstance(detector, FramePrediction):
        ways["torch, plain"] = Plain(detector)
    ways["torch, eager"] = runtime_of(model.detector).examine
    for form in ("openvino", "onnx"):
        whole = unquantised(model, form)  # type: ignore[arg-type]
        exports = [whole, in_bf16(whole)] if form == "openvino" and has_bf16() else [whole]
        if not options.no_int8:
            exports.append(quantised_for_speed(whole, list(clips[:CLIPS])))
        for exported in exports:
            for name in installed(exported.facts):
                if form == "onnx" and name == "openvino":
                    continue  # its own format is there
                runtime = make_runtime(exported, name, options.threads)
                what = f"{name}, {exported.facts.precision}"
                ways[what] = runtime.examine
    clock = time.process_time if options.processor else time.perf_counter
    seconds = turns(ways, clips, options.repeats, clock)
    print(f"\n{model.detector.name} {model.preset}, {spec.size[0]}x{spec.size[1]}")
    first = next(iter(ways))
    print(f"{'':24}{'ms a clip':>12}{f'times {first[7:]}':>14}{'times eager':>14}")
    for what, found in seconds.items():
        ratios = (seconds[name] / found for name in (first, "torch, eager"))
        print(f"{what:24}{1e3 * found:12.1f}" + "".join(f"{ratio:14.2f}" for ratio in ratios))


class Plain:
    """A frame predictor as one writes it first; gives the PSNR of one clip."""

    def __init__(self, detector: FramePrediction) -> None:
        self.config, self.stride = detector.config, detector.spec.stride
        self.net = copy.deepcopy(detector.network).to(memory_format=torch.contiguous_format)

    @torch.inference_mode()
    def __call__(self, clips: Bytes) -> float:  # noqa: D102
        config, clip = self.config, torch.from_numpy(clips).float() / 127.5 - 1
        seen = clip[:, : -(config.gap // self.stride) : max(1, config.stride // self.stride)]
        x = F.pixel_unshuffle(seen.flatten(1, 2), self.net.unshuffle)
        skips = []
        for level, block in enumerate(self.net.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for up, merge, skip in zip(self.net.up, self.net.merge, skips[-2::-1], strict=True):
            x = merge(torch.cat([skip, up(x).relu()], dim=1))
        x = F.pixel_shuffle(self.net.out(x), self.net.unshuffle)
        x = x.tanh() if self.net.output == "tanh" else x
        expected = x + seen[:, -1] if config.residual else x
        return float(-10 * torch.log10(((expected - clip[:, -1]) / 2).square().mean()))


def turns(
    ways: dict[str, Way], clips: Bytes, repeats: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Of a clip that was not seen before each time: flows are remembered."""
    found: dict[str, list[float]] = {what: [] for what in ways}
    for repeat in range(repeats + 1):  # the first is not counted
        clip = clips[repeat : repeat + 1]
        for what, way in ways.items():
            began = clock()
            way(clip)
            if repeat:
                found[what].append(clock() - began)
    return {what: median(taken) for what, taken in found.items()}


if __name__ == "__main__":
    main()
