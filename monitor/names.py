"""Names of files as text, of which any bytes may come; and things by their number."""

import unicodedata
from pathlib import Path

UNSHOWN = {"Cc", "Cs", "Zl", "Zp"}  # controls, bytes that are no UTF-8 (as Python has them), breaks


def shown(text: str) -> str:
    """As one line for people, whatever it holds: what cannot be shown is an escape."""
    if text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in UNSHOWN
        else letter
        for letter in text
    )


def noted(path: Path) -> str:
    """As text that a database takes and no other path has; a file URI where it is no UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.absolute().as_uri()
    return str(path)


def counted(number: int, thing: str) -> str:
    """`1 camera`, `2 cameras`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
