"""anomalib's side, run in its environment, by its public and documented use.

The Engine without logging, checkpoints, validation and progress bars, models without evaluator,
visualizer and post-processor, `TorchInferencer` in inference mode and `OpenVINOInferencer`: what a
user who is after speed would leave out is left out.
"""

import sys
import tempfile
import time
import warnings
from contextlib import chdir
from pathlib import Path
from typing import Any

import anomalib
import numpy as np
import openvino
import torch
import torchvision
from anomalib.data import Folder
from anomalib.data.utils import read_image
from anomalib.deploy import OpenVINOInferencer, TorchInferencer
from anomalib.engine import Engine
from anomalib.models import Ganomaly, Padim, Patchcore
from lightning.pytorch import Callback
from worker import serve

PLAIN = {"post_processor": False, "evaluator": False, "visualizer": False}
LAYERS = {"padim": ["layer1", "layer2", "layer3"], "patchcore": ["layer2", "layer3"]}
fitted: dict[str, Any] = {}
exported: dict[str, dict[str, Any]] = {}


class EpochClock(Callback):
    """When each epoch ended, the workers' start included."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        """Lightning's."""
        self._began = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        """Lightning's."""
        self.seconds.append(time.perf_counter() - self._began)


def made(task: dict[str, Any]) -> Any:
    """The model as it is before it has learned anything."""
    size, what = tuple(task["size"]), task["detector"]
    if what == "ganomaly":
        return Ganomaly(
            batch_size=task["batch"],
            n_features=task["width"],
            latent_vec_size=task["latent"],
            pre_processor=Ganomaly.configure_pre_processor(image_size=size),
            **PLAIN,
        )
    backbone = torchvision.models.get_model(task["backbone"], weights=None)
    backbone.load_state_dict(torch.load(task["weights"], weights_only=True))
    kind = {"padim": Padim, "patchcore": Patchcore}[what]
    own = {"n_features": 100} if what == "padim" else {"coreset_sampling_ratio": task["share"]}
    return kind(
        backbone=backbone,
        layers=LAYERS[what],
        pre_trained=False,
        pre_processor=kind.configure_pre_processor(image_size=size),
        **own,
        **PLAIN,
    )


def folder(task: dict[str, Any]) -> Folder:
    return Folder(
        name="pictures",
        root=task["data"],
        normal_dir="train/good",
        normal_test_dir="test/good",
        abnormal_dir="test/bad",
        train_batch_size=task["batch"],
        eval_batch_size=task["batch"],
        num_workers=task["workers"],
        val_split_mode="none",
    )


def fit(**task: Any) -> dict[str, Any]:
    torch.manual_seed(task["seed"])
    model, data, clock = made(task), folder(task), EpochClock()
    engine = Engine(
        callbacks=[clock],
        max_epochs=task["epochs"],
        accelerator="cpu",
        barebones=True,
        limit_val_batches=0,
        default_root_dir=tempfile.mkdtemp(),
    )
    data.setup()  # listing the pictures does not count
    began = time.perf_counter()
    engine.fit(model, datamodule=data)
    seconds = time.perf_counter() - began
    fitted[task["detector"]] = model.eval()
    return {"fit_s": seconds, "epoch_s": clock.seconds, "facts": facts(model)}


def facts(model: Any) -> dict[str, Any]:
    memory = getattr(model.model, "memory_bank", None)
    return {
        "parameters": sum(p.numel() for p in model.model.parameters()),
        "memory": list(memory.shape) if isinstance(memory, torch.Tensor) else None,
    }


def export(**task: Any) -> dict[str, Any]:
    """Both of its own exports, read back in by its own inferencers."""
    what, place = task["detector"], Path(tempfile.mkdtemp())
    model = fitted[what]
    whole = model.to_torch(place)
    graph = model.to_openvino(place, input_size=tuple(task["picture"]))
    with chdir(place):  # it leaves a cache where it is
        compiled = OpenVINOInferencer(graph, device="CPU", config={"PERFORMANCE_HINT": "LATENCY"})
    exported[what] = {"torch": TorchInferencer(whole, device="cpu"), "openvino": compiled}
    return {}


@torch.inference_mode()
def judge(detector: str, runtime: str, pictures: list[str]) -> dict[str, Any]:
    """One picture after the other, from its file to its score and map."""
    model = exported[detector][runtime]
    times_ms, scores = [], []
    for picture in pictures:
        began = time.perf_counter()
        found = model.predict(picture)
        score = float(np.asarray(found.pred_score).reshape(-1)[0])
        times_ms.append(1e3 * (time.perf_counter() - began))
        scores.append(score)
    return {"ms": times_ms, "scores": scores}


@torch.inference_mode()
def features(task: dict[str, Any], picture: str, out: str) -> dict[str, Any]:
    """What the backbone makes of a picture."""
    model = made(task)
    batch = model.pre_processor(read_image(picture, as_tensor=True)[None])
    found = model.model.feature_extractor(batch)
    np.savez(out, *[found[layer].numpy() for layer in LAYERS[task["detector"]]])
    return {}


def versions() -> dict[str, Any]:
    return {
        "anomalib": anomalib.__version__,
        "torch": str(torch.__version__),
        "openvino": openvino.__version__.split("-")[0],
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
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
