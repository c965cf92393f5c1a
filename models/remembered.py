"""What was computed of pictures, kept for the next clip that holds them. Imports no torch.

What is remembered is what would be computed, so nothing depends on it but the time it takes.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]


class Memory:
    """A pure function of pictures, remembered by their digests."""

    def __init__(self, function: Callable[..., Array], most: int) -> None:
        """`most` results are kept; the oldest go first."""
        self._function, self._most = function, most
        self._known: OrderedDict[bytes, Array] = OrderedDict()

    def of(self, key: bytes, *pictures: Picture) -> Array:
        """The function of the pictures; `key`: their digests, joined. Not to be written to."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._function(*pictures)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return found


class Digests:
    """Of pictures that do not change while this lives; each is looked at once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Picture, bytes]] = {}  # with it, as ids are used again

    def of(self, picture: Picture) -> bytes:
        """Of its levels; 16 bytes."""
        known = self._known.get(id(picture))
        if known is None:
            digest = blake2b(np.ascontiguousarray(picture).data, digest_size=16).digest()
            known = self._known[id(picture)] = (picture, digest)
        return known[1]
