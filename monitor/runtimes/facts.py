"""What the facts of an export must be, so that a malformed file is refused as it is read.

By hand: pydantic would take a fifth of a second of every command that scores.
"""

import sys
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from monitor.runtimes.answers import ASKED

MOST_VALUES = 2**30  # of a batch of clips, and the frames between: 4 GB as the network takes them
Expected = dict[str, tuple[str, Callable[[Any], bool]]]  # in words, and whether a value is it


def check_facts(plain: object) -> None:
    """Refuse what `Facts` cannot be made of.

    Raises:
        ValueError: With the first value that does not fit.
    """
    if not isinstance(plain, dict):
        raise ValueError(f"expected facts by name, got {_short(plain)}")
    _check(plain, FACTS)
    spec = plain["spec"]
    _check(spec, SPEC, "spec.")
    if not -spec["length"] <= spec["target"] <= -1:
        raise ValueError(
            f"spec.target: expected {-spec['length']} to -1, got {_short(spec['target'])}"
        )
    values = plain["spec"]["length"] * plain["spec"]["channels"] * prod(plain["spec"]["size"])
    if values * plain["spec"]["stride"] * (plain.get("batch") or 1) > MOST_VALUES:
        raise ValueError(f"spec: expected clips that fit in memory, got {_short(values)} values")
    for key, (words, fits) in PROVENANCE.items():
        value = plain["provenance"].get(key)
        if value is not None and not fits(value):
            raise ValueError(f"provenance.{key}: expected {words}, got {_short(value)}")
    if plain["graph"] == "none" and plain.get("prelude") is None:
        raise ValueError("expected a graph or a prelude, got neither")


def _check(plain: Mapping[str, Any], expected: Expected, where: str = "") -> None:
    for key, (words, fits) in expected.items():
        value = plain.get(key)
        if not fits(value):
            came = _short(value) if key in plain else "nothing"
            raise ValueError(f"{where}{key}: expected {words}, got {came}")


def _short(value: object) -> str:
    return f"{value!r:.60}"


def _one_of(*words: str) -> tuple[str, Callable[[Any], bool]]:
    return " or ".join(words), lambda value: isinstance(value, str) and value in words


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 1


def _is_named(value: object) -> bool:
    return isinstance(value, dict)


def _is_named_or_none(value: object) -> bool:
    return value is None or _is_named(value)


def _is_over_0(value: Any) -> bool:
    return _is_finite(value) and value > 0


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < sys.float_info.max  # whole numbers can be larger; NaN is not


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_count, value))


def _is_learned(value: Any) -> bool:
    """Stretches of videos by their place, or names of pictures."""
    return _is_texts(value) or (
        isinstance(value, dict)
        and all(
            isinstance(part, list) and len(part) == 2 and all(map(_is_number, part))
            for parts in value.values()
            for part in (parts if isinstance(parts, list) else [parts])
        )
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_contents(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_texts, value.values()))


def _is_answers_or_none(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict):
        return False
    lists = list(value.values())
    return (
        set(value) == {"scores", "maps"}
        and all(isinstance(one, list) and len(one) == ASKED for one in lists)
        and all(isinstance(x, int | float) for one in lists for x in one)
    )


COUNT = ("a whole number from 1", _is_count)
TEXT = ("a text", _is_text)
NAMED = ("values by name", _is_named)
NAMED_OR_NONE = ("values by name or null", _is_named_or_none)
FACTS: Expected = {
    "detector": TEXT,
    "kind": _one_of("video", "image"),
    "preset": TEXT,
    "spec": NAMED,
    "graph": _one_of("onnx", "openvino", "none"),
    "precision": _one_of("fp32", "bf16", "int8"),
    "terms": ("a list of names", _is_texts),
    "parameters": ("a whole number", _is_number),
    "batch": ("a whole number from 1 or null", lambda v: v is None or _is_count(v)),
    "calibration": NAMED_OR_NONE,
    "provenance": NAMED,
    "report": NAMED,
    "oddwatch": TEXT,
    "prelude": NAMED_OR_NONE,
    "answers": (f"scores and maps, {ASKED} numbers each, or null", _is_answers_or_none),
}
SPEC: Expected = {
    "length": COUNT,
    "stride": COUNT,
    "size": (
        "height and width, whole numbers from 1",
        _is_size,
    ),
    "channels": ("1 or 3", lambda v: _is_number(v) and v in (1, 3)),
    "target": ("a whole number", _is_number),
}
TEXTS = ("a list of texts", _is_texts)
OVER_0 = ("a number over 0", _is_over_0)
FINITE = ("a finite number", _is_finite)
FOOTAGE = ("stretches of videos or names of pictures", _is_learned)
PROVENANCE: Expected = {  # what is computed with, where it is there
    "source_size": ("height and width, whole numbers from 1", _is_size),
    "source_shapes": (
        "heights and widths, whole numbers from 1",
        lambda v: isinstance(v, list) and all(map(_is_size, v)),
    ),
    "rate_hz": OVER_0,
    "map_usual": FINITE,
    "map_high": FINITE,
    "raised_by": OVER_0,
    **dict.fromkeys(("folder_rate_hz", "calibrated_folder_rate_hz"), OVER_0),
    **dict.fromkeys(("learned", "held_out", "kept_apart"), FOOTAGE),
    "contents": ("lists of places by what lies there", _is_contents),
    "notes": TEXTS,
    **dict.fromkeys(("data", "layout", "calibrated_on", "calibrated_layout"), TEXT),
}
