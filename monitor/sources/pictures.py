"""Folders of stills as a source: one picture per frame, no clock of their own."""

from collections.abc import Generator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.ahead import made_ahead
from monitor.errors import CorruptFrameError, SourceError
from monitor.files import no_file
from monitor.records import Frame, Image
from monitor.sources.late import Converter, GrayFrame, three_channels
from monitor.sources.listing import find_holes, list_folder, say_entries
from monitor.sources.opencv import load_cv2
from monitor.sources.source import Source

FOLDER_RATE_HZ = 10.0  # UCSD Ped1 and Ped2, the commonest folders of frames, were taken at 10 Hz


class Pictures(Source):
    """Stills in natural order. A frame's time is its index over the rate that was stated.

    None: it is not known, and `FOLDER_RATE_HZ` is taken.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        name: str,
        strict: bool,
        folder_rate_hz: float | None = None,
    ) -> None:
        super().__init__(name, live=False, strict=strict)
        self.paths = tuple(paths)
        self._stated_hz = folder_rate_hz
        self.folder_rate_hz = folder_rate_hz or FOLDER_RATE_HZ

    @property
    def rate_hz(self) -> float | None:
        """As stated; None: stills have no clock, whatever rate is assumed for them."""
        return self._stated_hz

    @property
    def n_frames(self) -> int:
        """Picture files, readable or not."""
        return len(self.paths)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Of the first picture that can be read."""
        for path in self.paths:
            image = self._kept(_tried(path))
            if image is not None:
                return image.shape[0], image.shape[1]
        raise SourceError(f"{self.paths[0].parent}: none of {self.n_frames} pictures can be read")

    def time_s(self, index: int) -> float:
        """By the rate that is assumed."""
        return index / self.folder_rate_hz

    def files(self, start: int, stop: int) -> Sequence[Path]:
        """One for each frame."""
        return self.paths[start:stop]

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """Read directly from `start`; a file's place in natural order is its index."""
        converter = Converter()
        indices = range(*slice(start, stop).indices(self.n_frames))
        for index, found in made_ahead(lambda index: _tried(self.paths[index]), indices):
            image = self._kept(found)
            if image is None or not self.fits(image.shape[:2], str(self.paths[index])):
                continue
            time_s = self.time_s(index)
            if image.ndim == 2:
                yield GrayFrame(image, index, time_s, converter)
            else:
                yield Frame(image, index, time_s)
        self.count_lost()

    def _kept(self, found: NDArray[np.uint8] | CorruptFrameError) -> NDArray[np.uint8] | None:
        if isinstance(found, CorruptFrameError):
            self.lose(str(found))
            return None
        return found


def open_folder(folder: Path, *, strict: bool, folder_rate_hz: float | None) -> Pictures:
    """The pictures directly inside `folder`; holes in their numbering are noted.

    Raises:
        SourceError: If there are none.
    """
    listing = list_folder(folder)
    if not listing.pictures:
        raise SourceError(
            f"{folder}: expected pictures (.jpg, .png, .tif, .bmp), found {say_entries(folder)}; "
            "name the folder that directly holds the frames, or a video file"
        )
    source = Pictures(
        listing.pictures, name=folder.name, strict=strict, folder_rate_hz=folder_rate_hz
    )
    holes = find_holes(listing.pictures)
    if holes:
        source.note(
            f"{folder}: numbers missing between frames: {', '.join(holes[:8])}"
            + (f" and {len(holes) - 8} more" if len(holes) > 8 else "")
        )
    return source


def read_picture(path: Path) -> Image:
    """One still as (H, W, 3) RGB: upright by its EXIF tag, 16 bits to 8, no alpha.

    Raises:
        CorruptFrameError: If it is empty, cut off or no picture.
    """
    image = decoded(path)
    return three_channels(image) if image.ndim == 2 else image


def decoded(path: Path) -> NDArray[np.uint8]:
    """As `read_picture`, but (H, W) where the file has one channel."""
    data = _bytes(path)
    cv2 = load_cv2()
    how = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise CorruptFrameError(f"{path}: expected a picture, got {len(data)} bytes that are none")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise CorruptFrameError(f"{path}: expected 8 or 16 bits per value, got {pixels.dtype}")
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 65535 -> 255, rounded
    if pixels.ndim == 2:
        return np.asarray(pixels)
    upright: Image = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)  # 35 times faster than [..., ::-1]
    return upright


def _tried(path: Path) -> NDArray[np.uint8] | CorruptFrameError:
    """The fault is said when the frame's turn comes."""
    try:
        return decoded(path)
    except CorruptFrameError as error:
        return error


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask picture as (H, W): True where any channel is not 0."""
    image = read_picture(path)
    return np.asarray((image[..., 0] | image[..., 1] | image[..., 2]) > 0)


def _bytes(path: Path) -> bytes:
    """A picture file's content, refused where its end is missing: OpenCV would paint it gray."""
    if found := no_file(path):
        raise CorruptFrameError(f"{path}: expected a picture file, found {found}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorruptFrameError(f"{path}: cannot be read: {error.strerror}") from error
    if not data:
        raise CorruptFrameError(f"{path}: expected a picture, got an empty file")
    jpeg_cut = data[:2] == b"\xff\xd8" and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    png_cut = data[:4] == b"\x89PNG" and b"IEND" not in data
    if jpeg_cut or png_cut:
        raise CorruptFrameError(f"{path}: the picture is cut off after {len(data)} bytes")
    return data
