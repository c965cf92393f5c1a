"""`--set key=value`: text becomes what a detector's config has at that place."""

import difflib
from collections.abc import Iterable
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from monitor.errors import UsageError

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def parse_settings(config: type[Any], pairs: Iterable[str]) -> dict[str, Any]:
    """Options from "key=value" texts, each value of the type that the config's field has.

    Raises:
        UsageError: A key is unknown (the nearest is named), or a value is of another type.
    """
    return dict(parse_setting(config, pair) for pair in pairs)


def parse_setting(config: type[Any], pair: str) -> tuple[str, Any]:
    """One key and its value; raises as `parse_settings`."""
    key, equals, text = (part.strip() for part in pair.partition("="))
    if not equals or not key:
        raise UsageError(f"--set {pair}: expected key=value, such as size=128,192")
    kinds = get_type_hints(config)
    known = [field.name for field in fields(config)]
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"--set {key}: there is no such option; {hint}there are {', '.join(known)}"
        )
    try:
        return key, parse(text, kinds[key])
    except ValueError:
        raise UsageError(f"--set {key}: expected {describe(kinds[key])}, got {text!r}") from None


def parse(text: str, kind: Any) -> Any:
    """The text as a value of a type: bool, int, float, str, tuples, Literals, unions of them.

    Raises:
        ValueError: It is none.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _first(text, inner)
    if origin is Literal:
        return _one_of(text, inner)
    if origin is tuple:
        return _tuple(text, inner)
    if kind is NoneType:
        return _one_of(text.lower().replace("null", "none"), (None,))
    if kind is bool:
        return _bool(text)
    if kind in (int, float, str):
        return kind(text)
    raise ValueError(text)


def describe(kind: Any) -> str:
    """A type, in words for an error message."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(describe(part) for part in inner)
    if origin is Literal:
        return " or ".join(str(value) for value in inner)
    if origin is tuple and Ellipsis in inner:
        return f"{describe(inner[0])}s, separated by commas"
    if origin is tuple:
        return f"{len(inner)} values separated by commas ({', '.join(map(describe, inner))})"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return "none" if kind is NoneType else names.get(kind, "a value that can only be set in code")


def _first(text: str, kinds: Iterable[Any]) -> Any:
    """By the first type that takes it; None before texts, which take all."""
    for kind in sorted(kinds, key=lambda kind: kind is not NoneType):
        try:
            return parse(text, kind)
        except ValueError:
            continue
    raise ValueError(text)


def _one_of(text: str, values: Iterable[Any]) -> Any:
    for value in values:
        if str(value).lower() == text.lower():
            return value
    raise ValueError(text)


def _tuple(text: str, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    words = [word.strip() for word in text.strip("()[] ").replace("x", ",").split(",") if word]
    if Ellipsis in kinds:
        kinds = (kinds[0],) * len(words)
    if len(words) != len(kinds):
        raise ValueError(text)
    return tuple(parse(word, kind) for word, kind in zip(words, kinds, strict=True))


def _bool(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(text)
