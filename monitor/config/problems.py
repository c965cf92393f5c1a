"""What is wrong in a configuration: one line each, with file, line, section and key.

Values are said only where they cannot be secret: numbers, and words of a fixed choice.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.lines import Place, line_of
from monitor.errors import UsageError

LONGEST = 40  # characters of a number that is repeated
MOST = 10  # lines at once; who has more faults mends some first
KINDS = {
    "string": "a text in quotes",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "list": "a list in brackets",
    "tuple": "two numbers, [x, y]",
    "path": "a path in quotes",
    "finite_number": "a finite number",
}
LIMITS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "over"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "under"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place."""

    place: Place
    text: str


class ConfigError(UsageError):
    """A configuration cannot be used; `lines` says all that is wrong, one line each."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = list(lines)


def config_error(
    path: Path, problems: Sequence[Problem], data: dict[str, Any], lines: dict[Place, int]
) -> ConfigError:
    """The first ten, in the order of the file."""
    ordered = sorted(problems, key=lambda problem: line_of(problem.place, lines) or 0)
    said = [_line(path, problem, data, lines) for problem in ordered[:MOST]]
    if len(ordered) > MOST:
        said.append(f"{path}: {len(ordered) - MOST} more; mend these first")
    return ConfigError(said)


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """What pydantic found against the model of that file, in this program's words."""
    return [_problem(fault, model) for fault in error.errors(include_url=False)]


def near(word: str, known: Sequence[str]) -> str:
    """The hint that ends a line on a word that is not known; lists all where none is near."""
    swapped = [name for name in known if sorted(name) == sorted(word.lower())]
    close = swapped or difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def section(place: Place, data: dict[str, Any]) -> str:
    """Whose key it is: `camera "door"`, `notice 2 (mqtt)`, `[engine]`; empty: nobody's."""
    if not place:
        return ""
    if len(place) > 1 and isinstance(place[1], int):
        held = data.get(str(place[0]))
        entry = held[place[1]] if isinstance(held, list) and place[1] < len(held) else None
        entry = entry if isinstance(entry, dict) else {}
        if place[0] == "camera" and isinstance(entry.get("name"), str) and entry["name"]:
            return f'camera "{entry["name"]}"'
        kind = entry.get("kind")
        known = f" ({kind})" if isinstance(kind, str) and re.fullmatch(r"[a-z]+", kind) else ""
        return f"{place[0]} {place[1] + 1}{known}"
    return f"[{place[0]}]" if len(place) > 1 else ""


def _line(path: Path, problem: Problem, data: dict[str, Any], lines: dict[Place, int]) -> str:
    line = line_of(problem.place, lines)
    where = f"{path}:{line}" if line else str(path)
    owner = section(problem.place, data)
    skip = 2 if owner and not owner.startswith("[") else 1
    key = _key(problem.place[skip if owner else 0 :])
    return ": ".join(part for part in (where, owner, key, problem.text) if part)


def _key(place: Place) -> str:
    """`privacy` item 2, point 3: counted from 1, as people do."""
    words = [str(place[0])] if place else []
    words += [f"item {part + 1}" if isinstance(part, int) else part for part in place[1:]]
    return ", ".join(words)


def _problem(fault: ErrorDetails, model: type[BaseModel]) -> Problem:
    place: Place = tuple(fault["loc"])
    kind, limits = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys(place[:-1], model)
        return Problem(place, f"there is no such key; {near(str(place[-1]), known)}")
    if kind == "missing":
        return Problem(place, "is missing")
    if kind == "value_error":
        return Problem(place, str(limits["error"]))
    if kind == "list_type" and isinstance(fault["input"], dict) and len(place) == 1:
        return Problem(place, f"expected [[{place[0]}]], in double brackets, got [{place[0]}]")
    return Problem(place, f"expected {_expected(kind, limits)}, got {_got(fault['input'], kind)}")


def _expected(kind: str, limits: dict[str, Any]) -> str:
    if kind in LIMITS:
        name, words = LIMITS[kind]
        return f"{words} {limits[name]:g}"
    if kind in ("too_short", "too_long"):
        return "at least 3 points" if limits["field_type"] == "List" else KINDS["tuple"]
    special = {
        "literal_error": str(limits.get("expected")).replace("'", '"'),
        "string_too_short": "a text that is not empty",
        "string_too_long": f"at most {limits.get('max_length')} characters",
        "model_type": "one section in single brackets",
    }
    return special.get(kind) or KINDS.get(kind) or KINDS.get(kind.rpartition("_")[0], "other")


def _got(value: Any, kind: str) -> str:
    """The value where it is a number or one of a choice; else only what sort of thing it is."""
    if isinstance(value, bool | int | float):
        said = str(value).lower()
        return said if len(said) <= LONGEST else f"a number of {len(said)} digits"
    if kind == "literal_error" and isinstance(value, str) and re.fullmatch(r"\w{1,20}", value):
        return f'"{value}"'
    sorts = {"str": "a text", "dict": "a section", "list": "a list"}
    return sorts.get(type(value).__name__, "a date or time")


def _keys(place: Place, model: type[BaseModel]) -> list[str]:
    """The keys that a section has."""
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            inner = next(iter(get_args(annotation)), annotation)
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    return list(model.model_fields)
