"""oddwatch's side: the loader, the detectors, the export and the judging that its commands use."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch

import monitor
from benchmarks.rivals.worker import serve
from models.augmentation import MILD
from models.detector import Budget, Step
from models.registry import build
from monitor.clips import prepare, to_tensor
from monitor.cpu import has_bf16
from monitor.exporting import export_model, in_bf16
from monitor.stills.inspecting import find_pictures, still_of
from monitor.stills.judging import judged
from monitor.stills.loader import StillLoader
from monitor.stills.model import StillModel, load_still_model, save_still_model

models: dict[str, dict[str, StillModel]] = {}


def made(task: dict[str, Any]) -> Any:
    """The detector as it is before it has learned anything."""
    what, size = task["detector"], tuple(task["size"])
    own: dict[str, dict[str, Any]] = {
        "ganomaly": {"width": task["width"], "latent": task["latent"]},
        "padim": {"cell_px": 4, "weights": task["weights"], "backbone": task["backbone"]},
        "patchcore": {
            "layers": (2, 3),
            "share": task["share"],
            "items": 100_000,
            "weights": task["weights"],
            "backbone": task["backbone"],
        },
    }
    return build(what, "lite", size=size, batch=task["batch"], **own[what])


def fit(**task: Any) -> dict[str, Any]:
    """Epochs through the product's loader, as `oddwatch train` does; thresholds are not counted."""
    torch.manual_seed(task["seed"])
    detector = made(task)
    learned, held = (find_pictures([Path(task["data"]) / part]) for part in ("train", "held"))
    began = time.perf_counter()
    augment = MILD if task["detector"] == "ganomaly" else None
    clips = StillLoader(
        learned, detector.spec, batch=task["batch"], shuffle_seed=task["seed"], augment=augment
    )
    held_out = StillLoader(held, detector.spec, batch=task["batch"])
    per_epoch = -(-len(learned) // task["batch"])
    marks = [time.perf_counter()]

    def log(step: Step) -> None:
        if step.index % per_epoch == 0:
            marks.append(time.perf_counter())

    detector.fit(clips, held_out, budget=Budget(steps=task["epochs"] * per_epoch), log=log)
    seconds = time.perf_counter() - began
    models[task["detector"]] = {"fitted": StillModel(detector.eval())}
    return {"fit_s": seconds, "epoch_s": np.diff(marks).tolist(), "facts": facts(detector)}


def facts(detector: Any) -> dict[str, Any]:
    memory = getattr(detector, "memory", None)
    return {
        "parameters": sum(p.numel() for p in detector.parameters()),
        "memory": None if memory is None else list(memory.shape),
    }


def export(**task: Any) -> dict[str, Any]:
    """Both kinds of file, read back in."""
    place, found = Path(tempfile.mkdtemp()), models[task["detector"]]
    save_still_model(found["fitted"], place / "model.pt")
    found["torch"] = load_still_model(place / "model.pt")
    whole = export_model(found["fitted"], "openvino")
    small = in_bf16(whole) if has_bf16() else whole  # as anomalib's OpenVINO does unasked
    save_still_model(StillModel(small), place / "model.oddwatch")
    found["openvino"] = load_still_model(place / "model.oddwatch")
    return {}


def judge(detector: str, runtime: str, pictures: list[str]) -> dict[str, Any]:
    """One picture after the other, from its file to its score, map and box."""
    model = models[detector][runtime]
    times_ms, scores = [], []
    for picture in pictures:
        began = time.perf_counter()
        (found,) = judged([still_of(Path(picture))], model, batch=1)
        times_ms.append(1e3 * (time.perf_counter() - began))
        scores.append(found.score)
    return {"ms": times_ms, "scores": scores}


@torch.inference_mode()
def features(task: dict[str, Any], picture: str, out: str) -> dict[str, Any]:
    """What the backbone makes of a picture, in the layers that the detector takes."""
    detector = made(task)
    detector.backbone.take(task["weights"], [])
    planes = prepare(still_of(Path(picture)).picture(), detector.spec)
    found = detector.backbone(to_tensor([(planes,)])[:, 0])
    layers = (1, 2, 3) if task["detector"] == "padim" else detector.config.layers
    np.savez(out, *[found[layer - 1].numpy() for layer in layers])
    return {}


def versions() -> dict[str, Any]:
    return {
        "oddwatch": monitor.__version__,
        "torch": str(torch.__version__),
        "openvino": openvino.__version__.split("-")[0],
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    serve(
        {
            "fit": fit,
            "export": export,
            "judge": judge,
            "features": features,
            "versions": versions,
        }
    )
