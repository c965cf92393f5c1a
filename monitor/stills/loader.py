"""Batches of still pictures for learning, decoded once while they fit in memory."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.augmentation import Augmentation, augmented
from models.detector import ClipSpec
from monitor.clips import prepare, to_tensor
from monitor.errors import SourceError
from monitor.frame_cache import FrameCache, key_of
from monitor.stills.still import Still

log = logging.getLogger(__name__)

POOL_BYTES = 768 * 2**20  # of pictures in memory, at the detector's size


class StillLoader:
    """Batches (B, 1, C, H, W), float32 in [0, 1]; iterated again and again, each time an epoch.

    Pictures are kept as they come while they fit in `pool_bytes`; the rest is decoded anew in
    every epoch, or, with a `cache`, mapped from it, and so in the next training. One that cannot be
    read is named in `broken` and left out from then on. An epoch is parted into batches of nearly
    equal size, at most `batch`, so that none is left out and none is too small for its statistics.
    """

    def __init__(  # noqa: PLR0913
        self,
        stills: Sequence[Still],
        spec: ClipSpec,
        *,
        batch: int,
        shuffle_seed: int | None = None,  # None: in the order given
        augment: Augmentation | None = None,  # None: as they are
        device: str = "cpu",
        pool_bytes: int = POOL_BYTES,
        strict: bool = False,  # a picture that cannot be read ends it
        cache: FrameCache | None = None,
    ) -> None:
        self._cache = cache
        self.broken: dict[str, str] = {}  # name -> why, of pictures that cannot be read
        self._stills = list(stills)
        self._spec, self._batch, self._device = spec, batch, device
        self._strict, self._augment = strict, augment
        self._random = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        self._draws = torch.Generator().manual_seed(shuffle_seed or 0)
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._most_kept = pool_bytes // (spec.channels * spec.size[0] * spec.size[1])

    def __iter__(self) -> Iterator[Tensor]:
        order = np.array([i for i, s in enumerate(self._stills) if s.name not in self.broken], int)
        if self._random is not None:
            self._random.shuffle(order)
        for places in np.array_split(order, max(1, -(-len(order) // self._batch))):
            pictures = [picture for i in places.tolist() if (picture := self._load(i)) is not None]
            if pictures:
                yield self._gather(pictures)

    def _gather(self, pictures: list[NDArray[np.uint8]]) -> Tensor:
        clips = to_tensor([(picture,) for picture in pictures], self._device)
        if self._augment is None:
            return clips
        return augmented(clips[:, 0], self._augment, self._draws)[:, None]

    def _load(self, place: int) -> NDArray[np.uint8] | None:
        """The picture (C, H, W) at the detector's size; None if it cannot be read."""
        kept = self._kept.get(place)
        if kept is not None:
            return kept
        still = self._stills[place]
        try:
            picture = self._cached(still)
        except SourceError as error:
            if self._strict:
                raise
            self._leave_out(still, error)
            return None
        if len(self._kept) < self._most_kept:
            self._kept[place] = picture
        return picture

    def _cached(self, still: Still) -> NDArray[np.uint8]:
        if self._cache is None or still.path is None:
            return prepare(still.picture(), self._spec)
        key = key_of([still.path], "still", self._spec.size, self._spec.channels)
        if key is None:
            return prepare(still.picture(), self._spec)
        found = self._cache.found(key)
        if found is None:
            found = self._cache.kept(key, [prepare(still.picture(), self._spec)[None]])
        picture: NDArray[np.uint8] = found[0][0]
        return picture

    def _leave_out(self, still: Still, error: SourceError) -> None:
        """Name it.

        Raises:
            SourceError: If no other is left.
        """
        self.broken[still.name] = str(error)
        log.warning("left out: %s", error)
        if len(self.broken) == len(self._stills):
            raise SourceError(f"none of {len(self._stills)} pictures can be read, such as: {error}")
