"""Names of files as text: any bytes may be in them, line ends and escape sequences among them."""

import unicodedata

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
