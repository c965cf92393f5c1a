"""Pixel truth, read picture by picture or from one array; never unpickled."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.errors import CorruptFrameError, LabelError
from monitor.sources.listing import list_folder
from monitor.sources.pictures import read_mask

BROKEN_MAT = (  # what SciPy's reader raises on files that are cut short or are something else
    LookupError,
    OSError,
    TypeError,
    ValueError,
    zlib.error,
)

Mask = NDArray[np.bool_]  # (H, W), True: anomalous


class Masks(Protocol):
    """A mask per frame of one clip, read when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Mask: ...


@dataclass(frozen=True)
class PictureMasks:
    """A picture per frame; anything above 0 is anomalous."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Mask:
        try:
            return read_mask(self.paths[index])
        except CorruptFrameError as error:
            raise LabelError(f"mask {error}") from error


@dataclass(frozen=True, eq=False)
class ArrayMasks:
    """One .npy of shape (T, H, W), or (H, W, T) as some copies of ShanghaiTech have it."""

    path: Path
    n_frames: int

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def __getitem__(self, index: int) -> Mask:
        return np.asarray(self.array[index] > 0)

    @cached_property
    def array(self) -> NDArray[Any]:
        """(T, H, W), on disk until a mask of it is asked for."""
        array = load_array(self.path)
        if array.ndim != 3:
            raise LabelError(f"{self.path}: expected masks (T, H, W), got shape {array.shape}")
        transposed = array.shape[0] != self.n_frames and array.shape[2] == self.n_frames
        return np.moveaxis(array, 2, 0) if transposed else array


@dataclass(frozen=True, eq=False)
class CellMasks:
    """Avenue's k_label.mat: `volLabel`, a 1 x N cell of (H, W) pictures."""

    path: Path

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, index: int) -> Mask:
        return np.asarray(self.cells[index] > 0)

    @property
    def cells(self) -> NDArray[Any]:
        """The N pictures."""
        return _cells(self.path)


@lru_cache(maxsize=1)  # 360 x 640 bytes a frame: all of Avenue at once would be 3.5 GB
def _cells(path: Path) -> NDArray[Any]:
    content = load_mat(path)
    if "volLabel" not in content:
        raise LabelError(f"{path}: expected volLabel, found {', '.join(content)}")
    return np.asarray(content["volLabel"].ravel())


def any_anomalous(masks: Masks) -> NDArray[np.bool_]:
    """Frame labels from masks: anomalous where any pixel is."""
    return np.fromiter((masks[i].any() for i in range(len(masks))), np.bool_, len(masks))


def masks_in(place: Path, n_frames: int) -> Masks | None:
    """The masks at a folder of pictures or an .npy file; None where there is neither."""
    if place.is_dir() and (pictures := list_folder(place).pictures):
        return PictureMasks(pictures)
    array = place.with_name(place.name + ".npy")
    return ArrayMasks(array, n_frames) if array.is_file() else None


def first_masks(places: Sequence[Path], n_frames: int) -> Masks | None:
    """The masks at the first of some places that has any."""
    found = (masks_in(place, n_frames) for place in places)
    return next((masks for masks in found if masks is not None), None)


def load_array(path: Path) -> NDArray[Any]:
    """An .npy file, mapped.

    Raises:
        LabelError: If it holds Python objects, which only unpickling could read, or is no .npy.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise LabelError(
            f"{path}: expected an .npy of plain numbers, got something else ({error}); files of "
            "Python objects are never unpickled, because that runs code: save it as plain numbers"
        ) from error
    return array


def load_mat(path: Path) -> dict[str, NDArray[Any]]:
    """The variables of a MATLAB file.

    Raises:
        LabelError: If it is none of version 7 or older.
    """
    import scipy.io  # takes a second; most data sets have no such file
    from scipy.io.matlab import MatReadError

    try:
        content = scipy.io.loadmat(path)
    except NotImplementedError as error:
        raise LabelError(f"{path}: MATLAB 7.3 is not read; save it with -v7") from error
    except (MatReadError, *BROKEN_MAT) as error:
        raise LabelError(f"{path}: expected a MATLAB file, got something else: {error}") from error
    return {key: value for key, value in content.items() if not key.startswith("__")}
