"""Options that make each still-image detector small enough for the laws."""

from typing import Any

# name of the detector [, what is special] -> options that make it small
TINY_STILLS: dict[str, dict[str, Any]] = {}
STEPS: dict[str, int] = {}  # of learning, where 100 are too few or too many
