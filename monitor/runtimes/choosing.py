"""Which runtime computes an exported model: the one that is asked for, or the fastest here.

The fastest is measured and remembered in the user's cache folder, by the graph's digest, the
runtimes' versions, the CPU and how many of its cores this process may use. For a day: what else ran
meanwhile cannot be told apart, and a choice that was made on a busy machine must not stay.
"""

import importlib.util
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from monitor.cpu import cores, cpu, has_bf16, has_vnni
from monitor.errors import MonitorError, UsageError
from monitor.files import write_atomically
from monitor.missing import to_have
from monitor.runtimes.answers import disagreement
from monitor.runtimes.exported import Exported, Facts
from monitor.runtimes.graphs import (
    Bytes,
    GraphError,
    GraphRuntime,
    Run,
    TablesRuntime,
    onnxruntime_run,
    openvino_run,
)
from monitor.runtimes.runtime import Runtime

log = logging.getLogger(__name__)

RUNS: dict[str, Callable[[Exported, int | None, int], Run]] = {
    "openvino": openvino_run,
    "onnxruntime": onnxruntime_run,
}
TAKES = {
    "onnx": ("openvino", "onnxruntime"),
    "openvino": ("openvino",),
    "none": ("opencv",),
}
MODULES = {"opencv": "cv2"}  # where it is not the name
REPEATS = 5  # of one clip, after a first that is not counted; their median
MOST_S = 2.0  # of measuring one runtime
REMEMBERED = 200  # choices; the oldest are forgotten
LATEST_S = 1e12  # since 1970, of any clock
HOLDS_S = 86400.0  # that a choice is not measured again for
_TOLD: set[tuple[str, str]] = set()  # warnings, by the model's digest


def make_runtime(
    exported: Exported, wanted: str = "auto", threads: int | None = None, lanes: int = 1
) -> Runtime:
    """What computes an exported model; `auto` is the fastest of those that work here.

    Its `examine` may be called from as many threads at once as there are `lanes`.

    Raises:
        UsageError: If it is not installed, none is, or it does not take this graph.
        GraphError: If it fails at the graph, or all do.
    """
    check_takes(exported.facts, wanted)
    _warn_of_precision(exported)
    if wanted != "auto":
        return _made(exported, wanted, threads, lanes)
    names = installed(exported.facts)
    name = _fastest(exported, names)
    try:
        return _made(exported, name, threads, lanes)
    except MonitorError as error:
        others = [other for other in names if other != name]  # it broke since it was remembered
        if not others:
            raise
        try:
            made = _made(exported, _fastest(exported, others), threads, lanes)
        except MonitorError as another:
            raise _all([error, another]) from another
        _warn(exported, f"{error} ({exported.name} is computed by another runtime)")
        return made


def _made(exported: Exported, name: str, threads: int | None, lanes: int = 1) -> Runtime:
    made = (
        TablesRuntime(exported)
        if name == "opencv"
        else GraphRuntime(name, RUNS[name](exported, threads, lanes), exported)
    )
    differ = disagreement(exported.facts, made)
    if differ is not None:
        raise GraphError(
            f"{name} computes {exported.name} wrongly on this machine ({cpu()}): {differ}; export "
            "it again here"
        )
    return made


def try_made(exported: Exported, wanted: str) -> None:
    """Find out whether `make_runtime` would make one; measures nothing, and raises as that."""
    check_takes(exported.facts, wanted)
    failed = list[MonitorError]()
    for name in installed(exported.facts) if wanted == "auto" else (wanted,):
        try:
            _made(exported, name, None)
        except MonitorError as error:
            failed.append(error)
        else:
            return
    raise _all(failed)


def check_takes(facts: Facts, wanted: str) -> None:
    """Refuse a runtime that cannot take an exported graph; raises as `make_runtime`."""
    takes = TAKES[facts.graph]
    if wanted == "auto":
        if not installed(facts):
            raise UsageError(
                f"a model exported to {facts.graph} needs {' or '.join(takes)}, not installed "
                f"here: {to_have(takes[-1])}"
            )
    elif wanted not in takes:
        raise UsageError(
            f"runtime {wanted} does not take a model exported to {facts.graph}; "
            f"expected {' or '.join(takes)}"
        )


def installed(facts: Facts) -> list[str]:
    """The runtimes here that take an exported graph."""
    return [
        name for name in TAKES[facts.graph] if importlib.util.find_spec(MODULES.get(name, name))
    ]


def _fastest(exported: Exported, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    place = cache_file()
    known = _remembered(place)
    key = _key(exported.digest, names)
    kept = known.pop(key, None)
    if kept is not None and kept[0] in names and 0 <= time.time() - kept[1] < HOLDS_S:
        return kept[0]
    seconds = measured(exported, names)
    log.info("seconds for a clip: %s", seconds)
    fastest = min(seconds, key=lambda name: seconds[name])
    if len(seconds) < len(names):
        return fastest  # not remembered: what failed may be mended
    known[key] = fastest, time.time()
    newest = dict(list(known.items())[-REMEMBERED:])
    with suppress(OSError):  # measured again the next time
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps(newest, indent=1))
    return fastest


def measured(exported: Exported, names: list[str], threads: int | None = None) -> dict[str, float]:
    """Seconds that each takes for one clip, the median of some; what is before a graph, once.

    One that fails is left out, with a warning.

    Raises:
        UsageError, GraphError: If all fail.
    """
    spec = exported.spec
    shape = (exported.facts.batch or 1, spec.length, spec.channels, *spec.size)
    clips = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found, failed = {}, list[MonitorError]()
    for name in names:
        try:
            found[name] = _seconds(_made(exported, name, threads), clips)
        except MonitorError as error:
            failed.append(error)
    if not found:
        raise _all(failed)
    for failure in failed:
        _warn(exported, f"{failure} ({exported.name} is computed by another runtime)")
    return found


def _all(failed: list[MonitorError]) -> MonitorError:
    return failed[0] if len(failed) == 1 else GraphError("; ".join(map(str, failed)))


def _seconds(runtime: Runtime, clips: Bytes) -> float:
    runtime.examine(clips)
    began = time.perf_counter()
    seconds: list[float] = []
    while len(seconds) < REPEATS and (not seconds or time.perf_counter() - began < MOST_S):
        start = time.perf_counter()
        runtime.examine(clips)
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def cache_file() -> Path:
    """Where choices are remembered."""
    return user_cache_path("oddwatch", appauthor=False) / "runtimes.json"


def _remembered(place: Path) -> dict[str, tuple[str, float]]:
    """Each choice, and when it was measured; the latest last."""
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # the last of brackets in brackets
        return {}
    found = content.items() if isinstance(content, dict) else ()
    return {key: (kept[0], kept[1]) for key, kept in found if _is_choice(kept)}


def _is_choice(kept: Any) -> bool:
    """Those of earlier versions have no time, and are measured again."""
    return (
        isinstance(kept, list)
        and len(kept) == 2
        and isinstance(kept[0], str)
        and isinstance(kept[1], int | float)
        and 0 <= kept[1] < LATEST_S
    )


def _key(digest: str, names: list[str]) -> str:
    versions = [f"{name} {_version(name)}" for name in names]
    return sha256("\n".join([digest, *versions, cpu(), str(cores())]).encode()).hexdigest()


def _version(module: str) -> str:
    """Of what it was installed from, which may go by another name, such as onnxruntime-gpu."""
    with suppress(PackageNotFoundError):
        return version(module)
    packages = sorted(set(packages_distributions().get(module, ())))
    return ", ".join(f"{package} {version(package)}" for package in packages) or "unknown"


def _warn_of_precision(exported: Exported) -> None:
    facts = exported.facts
    if facts.answers is None:
        return  # it is being made: who exports it says what was measured
    if facts.precision == "bf16" and has_bf16() is False:
        _warn(exported, f"this CPU ({cpu()}) has no bf16: the model is computed in fp32, slower")
    if facts.precision == "int8" and has_vnni() is False:
        gained, where = _where_exported(facts)
        if gained:
            return
        _warn(
            exported,
            f"this CPU ({cpu()}) has no VNNI: int8 gains less here, if anything{where}; to compare "
            "them here, run oddwatch bench --model with the model that it was exported from, or "
            "with an export of that without --int8",
        )


def _where_exported(facts: Facts) -> tuple[bool, str]:
    """Whether int8 was faster on a machine that has no VNNI either, and what was measured there."""
    with suppress(AttributeError, KeyError, TypeError, ValueError):  # it may say anything
        found = facts.report["int8"]["measured"]
        where = (
            f" (on the machine where it was exported a clip took {found['ms']:.1f} ms, in fp32 "
            f"{found['fp32_ms']:.1f})"
        )
        return found["vnni"] is False and found["ms"] < found["fp32_ms"], where
    return False, ""


def _warn(exported: Exported, text: str) -> None:
    """Once for a file, however often what computes it is made."""
    told = (exported.digest, text)
    if told not in _TOLD:
        _TOLD.add(told)
        log.warning("%s", text)
