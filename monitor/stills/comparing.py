"""Several detectors on one set, each trained and scored under the same terms, run after run.

A run is a detector with its options and a seed, in a folder of its own: what is finished there is
not done again, what was interrupted goes on, what failed is tried anew and loses no other run.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from models.detector import Budget, Log
from monitor.errors import UsageError
from monitor.files import check_folder, write_atomically
from monitor.frame_cache import FrameCache
from monitor.keeping import unfinished
from monitor.progress import Progress
from monitor.scoring import parameters_of
from monitor.stills.judging import judged
from monitor.stills.model import StillModel, load_still_model, save_still_model
from monitor.stills.pipeline import calibrate_stills, new_still_detector, train_stills
from monitor.stills.scored import score_stills
from monitor.stills.still import Still, StillSet

log = logging.getLogger(__name__)

TIMED = 20  # pictures by which the time of one is told
TIMED_S = 5.0  # after which fewer will do
RUNS, MODEL, RUN, FACTS = "runs", "model.pt", "run.json", "facts.json"


@dataclass(frozen=True)
class Terms:
    """What all runs of a comparison share; results under other terms do not compare."""

    data: str
    protocol: str
    preset: str
    minutes: float | None
    steps: int | None
    pictures: str  # how many, and a digest that tells them from others

    def budget(self, minutes: float = 0.0, steps: int = 0) -> Budget:
        """What is left of it after so much; never nothing, so that a step is made."""
        seconds = None if self.minutes is None else max(1.0, 60 * (self.minutes - minutes))
        return Budget(seconds, None if self.steps is None else max(1, self.steps - steps))


@dataclass(frozen=True)
class Plan:
    """One run to be made."""

    detector: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def label(self) -> str:
        """The detector, and its options where some are compared."""
        return " ".join([self.detector, *(f"{k}={_word(v)}" for k, v in self.options.items())])

    def folder(self, out: Path) -> Path:
        """Where its files lie."""
        return out / RUNS / self.label.replace(" ", "_") / f"seed-{self.seed}"


def _word(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple | list) else f"{value}"


@dataclass(frozen=True, eq=False)
class Done:
    """What came of a run."""

    plan: Plan
    folder: Path
    error: str = ""  # why there is no result, one line
    again: bool = False  # it was finished by an earlier call


@dataclass(frozen=True)
class Tools:
    """How runs are made and watched: on which device, what is shown of each."""

    device: str
    log: Callable[[Plan], Log]
    progress: Progress
    cache: FrameCache | None = None


def terms_on(data: StillSet, preset: str, minutes: float | None, steps: int | None) -> Terms:
    """The terms of runs on this set as it is now."""
    place, what = str(data.root.absolute()), _say_pictures(data)
    return Terms(place, data.protocol, preset, minutes, steps, what)


def _say_pictures(data: StillSet) -> str:
    """How many there are, and a digest of their names, truth and lengths on disk."""
    facts = [
        (still.name, still.label, still.mask is not None, _length(still))
        for still in (*data.train, *data.test)
    ]
    digest = sha256(repr(facts).encode(errors="surrogateescape")).hexdigest()[:12]
    return f"{len(data.train)} to learn from, {len(data.test)} to judge by, digest {digest}"


def _length(still: Still) -> int:
    with suppress(OSError):
        return 0 if still.path is None else still.path.stat().st_size
    return 0


def check_plans(plans: Sequence[Plan], terms: Terms, out: Path) -> None:
    """Find out before the first run that results cannot be written, or would not compare.

    Raises:
        StoreError: `out` cannot be written.
        UsageError: `out` holds runs under other terms.
    """
    check_folder(out)
    for place in sorted((out / RUNS).glob(f"*/*/{RUN}")):
        there = json.loads(place.read_text(encoding="utf-8"))["terms"]
        for name, value in asdict(terms).items():
            was = there.get(name, "that were not noted")  # by an earlier version
            if was != value:
                raise UsageError(
                    f"{out} holds runs with {name} {was}, now it is {value}: these would not "
                    "compare; name another folder with -o, or the same terms"
                )
    for plan in plans:
        plan.folder(out)


def compare(
    plans: Sequence[Plan], data: StillSet, terms: Terms, out: Path, tools: Tools
) -> Iterator[Done]:
    """Make the runs that are not there yet, one after another; a run that fails is told so.

    Raises:
        KeyboardInterrupt: What was learned so far is kept; called again, it goes on there.
    """
    for plan in plans:
        folder = plan.folder(out)
        if is_finished(folder):
            yield Done(plan, folder, again=True)
            continue
        try:
            make_run(plan, data, terms, folder, tools)
        except Exception as error:
            log.debug("%s failed", plan.label, exc_info=error)
            yield Done(plan, folder, error=one_line(error))
        else:
            yield Done(plan, folder)


def is_finished(folder: Path) -> bool:
    """Whether a run's results are all there."""
    return all((folder / name).is_file() for name in (FACTS, "report.json", "scores.csv"))


def one_line(error: Exception) -> str:
    """Why a run failed."""
    said = " ".join(str(error).split())
    known = any(kind.__name__ in ("MonitorError", "ModelError") for kind in type(error).__mro__)
    return said if known and said else f"{type(error).__name__}: {said}"[:300]


def make_run(plan: Plan, data: StillSet, terms: Terms, folder: Path, tools: Tools) -> None:
    """One run, from what is in its folder to all of its results there.

    Raises:
        KeyboardInterrupt: What was learned so far is in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about = {"plan": asdict(plan), "terms": asdict(terms)}
    write_atomically(folder / RUN, json.dumps(about, indent=2, default=str))
    model = _trained(plan, data, terms, folder, tools)
    score_stills(model, data, folder, progress=tools.progress)
    facts = {
        "minutes": model.provenance["minutes"],
        "steps": model.provenance["steps"],
        "parameters": parameters_of(model.detector),
        "ms_per_picture": milliseconds(model, data.test or data.train),
        "threshold": None if model.calibration is None else model.calibration.threshold,
        "median": None if model.calibration is None else model.calibration.median,
        "notes": model.provenance.get("notes", []),
    }
    write_atomically(folder / FACTS, json.dumps(facts, indent=2))


def _trained(plan: Plan, data: StillSet, terms: Terms, folder: Path, tools: Tools) -> StillModel:
    """The run's model: finished before, gone on with, or new."""
    path = folder / MODEL
    if path.exists():
        model = load_still_model(path, tools.device)
        if not model.provenance["interrupted"]:
            return _with_threshold(model, data, path, tools)
        path.replace(unfinished(path))
    if unfinished(path).exists():
        begun = load_still_model(unfinished(path), tools.device)
        detector, earlier = begun.trained(), begun.provenance
        budget = terms.budget(earlier["minutes"], earlier["steps"])
    else:
        detector = new_still_detector(
            plan.detector, terms.preset, plan.options, data, seed=plan.seed
        ).to(tools.device)
        earlier, budget = None, terms.budget()
    model = train_stills(
        detector,
        data,
        budget=budget,
        seed=plan.seed,
        preset=terms.preset,
        path=path,
        earlier=earlier,
        cache=tools.cache,
        log=tools.log(plan),
        progress=tools.progress,
    )
    if model.provenance["interrupted"]:  # and saved: the next call is to go on with it
        path.replace(unfinished(path))
        raise KeyboardInterrupt
    return model


def _with_threshold(model: StillModel, data: StillSet, path: Path, tools: Tools) -> StillModel:
    """The model, calibrated where a crash came between learning and that."""
    tried = any(text.startswith("not calibrated") for text in model.provenance["notes"])
    if model.calibration is not None or tried:
        return model
    model = calibrate_stills(model, data, progress=tools.progress)
    save_still_model(model, path)
    return model


def milliseconds(model: StillModel, stills: Sequence[Still]) -> float:
    """The median time to judge a picture by itself, reading it included.

    The first, which pays for all that is made once, does not count where there is a second.
    """
    times_s: list[float] = []
    stream = judged(stills[: TIMED + 1], model, batch=1)
    while len(times_s) <= TIMED and sum(times_s) < TIMED_S:
        began_s = time.perf_counter()
        if next(stream, None) is None:
            break
        times_s.append(time.perf_counter() - began_s)
    counted = sorted(times_s[1:] or times_s)
    return 1000 * counted[len(counted) // 2]
