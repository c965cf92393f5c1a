"""How fast are the same detectors in oddwatch and in anomalib, on the same pictures?

    python -m benchmarks.rivals.against_anomalib DATA/bottle DATA/casting
    python -m benchmarks.rivals.against_anomalib DATA/bottle --detectors padim --place ENV

Without --anomalib-python, anomalib's newest release is installed into an environment under --place.
Each side is a process of its own; they take turns at everything, and one waits while the other
works. Medians. What is compared with what is in benchmarks/README.md.
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from torchvision.models import get_model

from benchmarks.rivals.pictures import lay_out, tested
from benchmarks.rivals.worker import Worker

HERE = Path(__file__).parent
RUNTIMES = ("torch", "openvino")
WARM_UP = 5  # pictures, whose times are not counted
SAME = 1e-4  # of the largest feature: rounding


@dataclass
class Found:
    """What one side took for one detector on one set."""

    fit_s: list[float] = field(default_factory=list)
    epoch_s: list[float] = field(default_factory=list)  # without each fit's first
    first_s: list[float] = field(default_factory=list)  # epochs, in which pictures are decoded
    picture_ms: dict[str, list[float]] = field(default_factory=dict)  # by runtime
    auroc: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="rivals_") as folder:
        place = Path(folder)
        rival = options.anomalib_python or installed(options.place or place / "anomalib")
        threads = str(options.threads)
        ours = [sys.executable, "-m", "benchmarks.rivals.our_side", threads]
        theirs = [str(rival), str(HERE / "their_side.py"), threads]
        with (
            Worker("oddwatch", ours, place / "ours.log", options.threads) as left,
            Worker("anomalib", theirs, place / "theirs.log", options.threads) as right,
        ):
            for side in (left, right):
                print(side.name, side.do("versions"))
            for data in options.data:
                for detector in options.detectors:
                    task = task_of(data, detector, options, place)
                    report(task, compared(task, (left, right), options, place))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="+", type=Path, help="sets in MVTec's or a similar layout")
    parser.add_argument(
        "--detectors", nargs="+", default=["ganomaly", "padim", "patchcore"], metavar="NAME"
    )
    parser.add_argument("--anomalib-python", type=Path, help="of an environment that has it")
    parser.add_argument("--place", type=Path, help="where to make that environment, to keep it")
    parser.add_argument("--size", type=int, help="else 64 for ganomaly, 256 for the others")
    parser.add_argument("--epochs", type=int, default=5, help="of ganomaly")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--share", type=float, default=0.01, help="of patches that patchcore keeps")
    parser.add_argument("--train", type=int, default=200, help="pictures learned from, at most")
    parser.add_argument("--test", type=int, default=100, help="pictures judged, at most")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="of anomalib")
    return parser.parse_args()


def installed(place: Path) -> Path:
    """Python of an environment with anomalib's newest release, made where it is missing."""
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "anomalib[cpu,openvino]", f"torch=={torch.__version__}"], check=True)
    return python


def task_of(data: Path, detector: str, options: argparse.Namespace, place: Path) -> dict[str, Any]:
    """What both sides are to do, in plain values."""
    torch.manual_seed(0)
    weights = place / f"{options.backbone}.pt"
    torch.save(get_model(options.backbone, weights=None).state_dict(), weights)
    return {
        "detector": detector,
        "data": str(data),
        "size": [options.size or (64 if detector == "ganomaly" else 256)] * 2,
        "batch": options.batch,
        "epochs": options.epochs if detector == "ganomaly" else 1,
        "width": 64,
        "latent": 100,
        "share": options.share,
        "backbone": options.backbone,
        "weights": str(weights),
        "seed": 0,
        "workers": 0,
    }


def compared(
    task: dict[str, Any],
    sides: tuple[Worker, Worker],
    options: argparse.Namespace,
    place: Path,
) -> dict[str, Found]:
    """Both sides in turn: fit, export, judge."""
    pictures = place / f"{Path(task['data']).name}_{task['detector']}"
    labels = lay_out(Path(task["data"]), pictures, options.train, options.test, task["seed"])
    task |= {"data": str(pictures), "picture": _size_of(tested(pictures)[0])}
    if task["detector"] != "ganomaly":
        check_features(task, sides, pictures)
    task["workers"] = best_workers(task, sides[1], options)
    found = {side.name: Found() for side in sides}
    for _ in range(options.repeats):
        for side in sides:
            fitted(task, side, found[side.name])
    for side in sides:
        side.do("export", **task)
    for runtime in RUNTIMES:
        for _ in range(options.repeats):
            for side in sides:
                judged(task, side, runtime, labels, found[side.name])
    return found


def check_features(task: dict[str, Any], sides: tuple[Worker, Worker], place: Path) -> None:
    """Refuse to compare what does not begin with the same features.

    Of a picture that has the size already: the two make others small in different ways.
    """
    made, picture = [], place / "sized.png"
    with Image.open(tested(place)[0]) as whole:
        whole.convert("RGB").resize(task["size"][::-1]).save(picture)
    for side in sides:
        out = place / f"{side.name}.npz"
        side.do("features", task=task, picture=str(picture), out=str(out))
        made.append(list(np.load(out).values()))
    worst = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(*made, strict=True))
    shapes = [list(layer.shape) for layer in made[0]]
    print(f"\n{task['detector']}: features {shapes} differ by {worst:.1e} of the largest at most")
    if worst > SAME:
        raise SystemExit("oddwatch: the backbones differ; nothing is compared")


def best_workers(task: dict[str, Any], side: Worker, options: argparse.Namespace) -> int:
    """How many loading processes anomalib is fastest with: each is tried on a short fit."""
    if len(options.workers) == 1:
        return int(options.workers[0])
    short = task | {"epochs": min(2, task["epochs"])}
    seconds = {
        workers: side.do("fit", **(short | {"workers": workers}))["epoch_s"][-1]
        for workers in options.workers
    }
    told = ", ".join(f"{workers}: {taken:.2f} s" for workers, taken in seconds.items())
    print(f"anomalib's loading processes and what an epoch takes with them: {told}")
    return min(seconds, key=lambda workers: seconds[workers])


def fitted(task: dict[str, Any], side: Worker, found: Found) -> None:
    answer = side.do("fit", **task)
    found.fit_s.append(answer["fit_s"])
    found.first_s.append(answer["epoch_s"][0])
    found.epoch_s += answer["epoch_s"][1:]
    found.facts = answer["facts"]


def judged(
    task: dict[str, Any], side: Worker, runtime: str, labels: list[bool], found: Found
) -> None:
    answer = side.do(
        "judge",
        detector=task["detector"],
        runtime=runtime,
        pictures=tested(Path(task["data"])),
    )
    found.picture_ms.setdefault(runtime, []).extend(answer["ms"][WARM_UP:])
    found.auroc[runtime] = float(roc_auc_score(labels, answer["scores"]))


def report(task: dict[str, Any], found: dict[str, Found]) -> None:
    """One line for each thing that was timed; above 1: oddwatch is ahead."""
    names = list(found)
    counts = {part: len(list(Path(task["data"]).glob(f"{part}/*/*"))) for part in ("train", "test")}
    print(
        f"\n{Path(task['data']).name}: {counts['train']} pictures learned from, {counts['test']} "
        f"judged, {task['size'][0]} px, batch {task['batch']}, {task['epochs']} epochs, "
        f"{task['workers']} loading processes of anomalib"
    )
    print(f"{'':26}" + "".join(f"{name:>12}" for name in names) + f"{'ahead':>8}")
    rows: dict[str, list[float]] = {}
    if task["epochs"] > 1:
        rows["an epoch, s"] = [median(one.epoch_s) for one in found.values()]
        rows["the first epoch, s"] = [median(one.first_s) for one in found.values()]
    rows["the whole fit, s"] = [median(one.fit_s) for one in found.values()]
    for runtime in RUNTIMES:
        rows[f"a picture, {runtime}, ms"] = [median(o.picture_ms[runtime]) for o in found.values()]
    for name, (ours, theirs) in rows.items():
        print(f"{name:26}{ours:12.2f}{theirs:12.2f}{theirs / ours:8.2f}")
    for runtime in RUNTIMES:
        values = "".join(f"{one.auroc[runtime]:12.3f}" for one in found.values())
        print(f"{f'image AUROC, {runtime}':26}{values}")
    for name, one in found.items():
        print(f"{name}: {one.facts}")


def _size_of(picture: str) -> list[int]:
    from monitor.stills.reading import picture_size

    return list(picture_size(Path(picture)))


if __name__ == "__main__":
    main()
