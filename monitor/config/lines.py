"""On which line of a TOML file a key stands: what the parser knows, but does not tell.

By the beginnings of lines; a file that `tomllib` has read is assumed. Keys that it cannot place
(inside inline tables, say) get the line of the nearest thing around them.
"""

import re
from collections.abc import Iterator

Place = tuple[str | int, ...]  # ("camera", 0, "url"): the first camera's address

TABLE = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
KEY = re.compile(r"\s*([\w.\"' -]+?)\s*=(.*)")


def lines_of(text: str) -> dict[Place, int]:
    """Lines, counted from 1, by place."""
    found: dict[Place, int] = {}
    counts: dict[str, int] = {}
    table: Place = ()
    for number, line in _starts(text):
        header, key = TABLE.match(line), KEY.match(line)
        if header:
            table = _words(header[2])
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
                table = (*table, counts[header[2]])
            found.setdefault(table, number)
        elif key:
            found.setdefault((*table, *_words(key[1])), number)
    return found


def line_of(place: Place, lines: dict[Place, int]) -> int | None:
    """The line of a place or of what holds it; None: nothing of it is known."""
    for end in range(len(place), 0, -1):
        if place[:end] in lines:
            return lines[place[:end]]
    return None


def _starts(text: str) -> Iterator[tuple[int, str]]:
    """Lines on which a table or key can begin, not those within a text or an array."""
    quote, depth = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not quote and depth <= 0:
            yield number, line
        header = not quote and depth <= 0 and TABLE.match(line)
        quote, change = _within(line, quote)
        depth = 0 if header else max(depth + change, 0)


def _within(line: str, quote: str) -> tuple[str, int]:
    """The long quote that is open at the line's end, and how many brackets it opened."""
    depth, at = 0, 0
    while at < len(line):
        mark = next((m for m in ('"""', "'''", '"', "'") if line.startswith(m, at)), line[at])
        if quote:
            quote = "" if mark == quote else quote
            mark = line[at : at + 2] if line[at] == "\\" and '"' in quote else mark
        elif mark == "#":
            break
        elif mark[0] in "\"'":
            quote = mark
        else:
            depth += (mark in "[{") - (mark in "]}")
        at += len(mark)
    return (quote if len(quote) == 3 else ""), depth


def _words(key: str) -> Place:
    return tuple(word.strip().strip("\"'") for word in key.split("."))
