"""Pictures that oddwatch draws itself, plots and heat maps: marked, so that none is ever judged.

They lie beside what they were made of, often in the very folder that is learned from next.
"""

from contextlib import suppress
from pathlib import Path

from monitor.names import counted

MARK = "oddwatch"  # a comment of a .jpg, the software of a .png
HEAD = 128  # bytes, among which the mark is

APP0 = b"\xff\xe0"  # of JFIF, which has to come first
COMMENT = b"\xff\xfe"


def marked_jpeg(jpeg: bytes) -> bytes:
    """The same JPEG file with the mark near its beginning."""
    start = 4 + int.from_bytes(jpeg[4:6]) if jpeg[2:4] == APP0 else 2
    words = MARK.encode()
    comment = COMMENT + (2 + len(words)).to_bytes(2) + words
    return jpeg[:start] + comment + jpeg[start:]


def is_drawn(path: Path) -> bool:
    """Whether a file has the mark; False where it cannot be read, which is said elsewhere."""
    with suppress(OSError), path.open("rb") as file:
        return MARK.encode() in file.read(HEAD)
    return False


def say_drawn(drawn: list[Path]) -> str:
    """One line on such pictures where others were expected."""
    return f"left out {counted(len(drawn), 'picture')} that oddwatch drew, such as {drawn[0]}"
