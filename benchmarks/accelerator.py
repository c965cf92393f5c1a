"""What a GPU does: frames per second that lie on it, copies, decoding beside it, learning.

    python -m benchmarks.accelerator --device cuda
    python -m benchmarks.accelerator --device cuda --video VIDEO --model MODEL
    python -m benchmarks.accelerator --device cpu --presets lite --seconds 1   # tries the script

For each preset of `frame_prediction`: clips that are on the device already, in full precision, in
half, and in half recorded as CUDA graphs; the same from the host's memory, by the product's
runtimes; steps of learning. The share of the floor is what the network's multiplications would
take at --peak TFLOP/s (dense, half precision: 989 for H100 and H200), over what it took. With
--video, `score` of it end to end beside decoding alone.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.detector import Budget, Detector, Step
from models.halved import cuda_graph, halved
from models.registry import build
from monitor.model import load_model
from monitor.pipeline import readings_of
from monitor.runtimes.pytorch import HalfRuntime, TorchRuntime
from monitor.sources import open_source

AT_ONCE = (1, 8, 32, 128)
ASKED = 2000.0  # frames per second of the paper's preset, half precision, frames on the device


def main() -> None:
    options = arguments()
    cuda = options.device == "cuda"
    name = torch.cuda.get_device_name() if cuda else "CPU"
    print(f"{name}, torch {torch.__version__}")
    for preset in options.presets:
        measure(preset, options)
    if options.video:
        end_to_end(options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--detector", default="frame_prediction")
    parser.add_argument("--presets", nargs="+", default=["paper", "lite"])
    parser.add_argument("--seconds", type=float, default=3.0, help="for one figure")
    parser.add_argument("--batches", type=int, nargs="+", default=list(AT_ONCE))
    parser.add_argument("--peak", type=float, default=989.0, help="TFLOP/s of the device")
    parser.add_argument("--model", type=Path, help="of oddwatch train, for --video")
    parser.add_argument("--video", type=Path)
    return parser.parse_args()


def measure(preset: str, options: argparse.Namespace) -> None:
    torch.manual_seed(0)
    detector = build(options.detector, preset).eval().to(options.device)
    detector.fitted = True
    giga = flops(detector, options.device) / 1e9
    print(f"\n{detector.name} {preset}, {detector.spec.size}, {giga:.1f} GFLOP a frame")
    print(f"{'':34}{'clips':>6}{'frames/s':>10}{'of the floor':>14}")
    for count in options.batches:
        for what, way in on_device(detector, count, options).items():
            rate = count * times_per_second(way, options)
            share = rate * giga / 1e3 / options.peak
            met = "" if "recorded" not in what or preset != "paper" else verdict(rate)
            print(f"{what:34}{count:6}{rate:10.1f}{share:14.1%}{met}", flush=True)
    learning(detector, options)


def verdict(rate: float) -> str:
    return f"   ({'met' if rate >= ASKED else 'missed'}: {ASKED:g} asked)"


def flops(detector: Detector, device: str) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        detector.examine.__wrapped__(detector, noise(detector, 1, device))  # type: ignore[attr-defined]
    return float(counter.get_total_flops())


def noise(detector: Detector, count: int, device: str) -> Tensor:
    spec = detector.spec
    return torch.rand(count, spec.length, spec.channels, *spec.size, device=device)


def on_device(
    detector: Detector, count: int, options: argparse.Namespace
) -> dict[str, Callable[[], object]]:
    clips = noise(detector, count, options.device)
    kind = torch.float16 if options.device == "cuda" else torch.bfloat16
    ways: dict[str, Callable[[], object]] = {
        "full precision": partial(detector.score, clips),
        "half": partial(halved(detector, kind).score, clips),
    }
    if options.device == "cuda":
        ways["half, recorded"] = partial(halved(detector, kind, cuda_graph).score, clips)
    frames = [list(clip) for clip in (255 * clips).byte().cpu().numpy()]
    for runtime in (TorchRuntime(detector), HalfRuntime(detector, kind)):
        ways[f"{runtime.name}, from host memory"] = partial(from_host, runtime, frames)
    return ways


def from_host(runtime: TorchRuntime, frames: list[list[object]]) -> None:
    runtime.examine(runtime.batch(frames))  # type: ignore[arg-type]


def times_per_second(way: Callable[[], object], options: argparse.Namespace) -> float:
    for _ in range(3):
        way()
    wait(options)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < options.seconds or not count:
        way()
        count += 1
        if count % 16 == 0:
            wait(options)  # so that no queue grows beyond the clock
    wait(options)
    return count / (time.perf_counter() - began)


def wait(options: argparse.Namespace) -> None:
    if options.device == "cuda":
        torch.cuda.synchronize()


def learning(detector: Detector, options: argparse.Namespace) -> None:
    """Steps of the published batch, whatever they learn from noise."""
    clips = [noise(detector, 4, options.device)]
    seen: list[Step] = []
    fresh: nn.Module = type(detector)(detector.config).to(options.device)
    assert isinstance(fresh, Detector)
    fresh.fit(clips, clips, budget=Budget(seconds=3 * options.seconds), log=seen.append)
    later = seen[len(seen) // 2 :] or seen
    spent = later[-1].seconds - (later[0].seconds if len(later) > 1 else 0.0)
    print(f"learning: {max(1, len(later) - 1) / spent:.2f} steps of 4 clips a second")


def end_to_end(options: argparse.Namespace) -> None:
    """Of a file: decoding alone, and scoring it, decoding beside."""
    began = time.perf_counter()
    with open_source(str(options.video)) as source:
        count = sum(frame.image is not None for frame in source.frames())
    decoded_s = time.perf_counter() - began
    model = load_model(options.model, options.device)
    with open_source(str(options.video)) as source:
        began = time.perf_counter()
        for _ in readings_of(source.frames(), model):
            pass
    scored_s = time.perf_counter() - began
    print(f"\n{options.video.name}: decoding {count / decoded_s:.0f} frames/s, ", end="")
    print(f"decoding and scoring {count / scored_s:.0f} frames/s ({decoded_s / scored_s:.2f})")


if __name__ == "__main__":
    main()
