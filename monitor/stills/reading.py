"""One picture file as (H, W, 3) RGB, whatever its format; refused by its header where too large.

How it is read, so that the same file is always the same numbers:

- upright, by its EXIF tag;
- 16 bits: the file's full range to 0..255 (65535 is 255). A camera of 12 bits that stores its
  values unshifted fills a sixteenth of that and looks black: its depth is not guessed, since a dark
  picture of 16 bits looks just the same. Scale such files before;
- .tif whose 0 is white, as X-ray devices write it: as it is shown, white is 255;
- gray: three equal channels; a palette: its colours;
- alpha: laid on white, as viewers show it; what lies under a transparent pixel is arbitrary;
- CMYK: converted without a colour profile; profiles are not applied to RGB either;
- animations and files of several pages are refused: which picture is meant cannot be known. A
  camera's .jpg with a preview inside (MPO) is its main picture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from monitor.errors import CorruptFrameError, LabelError, SourceError, SourceNotFoundError
from monitor.records import Image
from monitor.stills.still import Mask

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF")
LEAST_SIDE = 8  # pixels; less shows nothing. A side of MNIST's digits is 28
MOST_PIXELS = 2**28 // 3  # 89 million: a quarter of a GiB as RGB; where Pillow warns
TURNED = range(5, 9)  # values of the EXIF orientation that swap width and height
ORIENTATION = 0x0112  # the EXIF tag
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a tag of TIFF, and what it says there of a negative
WIDE = ("I;16", "I;16L", "I;16B", "I")  # gray of 16 bits; Pillow 10 gives .png of 16 bits as I
Wide = np.ndarray[tuple[int, ...], np.dtype[np.generic]]
BROKEN = (OSError, SyntaxError, ValueError, EOFError)  # what Pillow raises on bad files

Pillow.MAX_IMAGE_PIXELS = None  # Pillow's own limit, whose error tells no size; ours comes first


def read_picture(path: Path, *, most_pixels: int = MOST_PIXELS) -> Image:
    """One still as (H, W, 3) uint8 RGB, as the module's head says.

    Args:
        path: The file; its content tells the format, not its name.
        most_pixels: Refuse what is larger, before any of it is decoded.

    Raises:
        SourceNotFoundError: If there is nothing.
        CorruptFrameError: If it is empty, cut off, no picture, animated, or too small or large.
    """
    with _opened(path) as picture:
        _check_size(path, picture, most_pixels)
        return _rgb(path, picture)


def picture_size(path: Path, *, most_pixels: int = MOST_PIXELS) -> tuple[int, int]:
    """Height and width of the upright picture, from the header alone.

    Raises:
        SourceNotFoundError: If there is nothing.
        CorruptFrameError: If `read_picture` would refuse it for what its header says.
    """
    with _opened(path) as picture:
        _check_size(path, picture, most_pixels)
        width, height = picture.size
        turned = _exif(picture).get(ORIENTATION) in TURNED
    return (width, height) if turned else (height, width)


def read_mask(path: Path) -> Mask:
    """A mask picture as (H, W): True where any colour is not 0; alpha does not count.

    Raises:
        LabelError: If it cannot be read.
    """
    try:
        with _opened(path) as picture:
            _check_size(path, picture, MOST_PIXELS)
            upright = ImageOps.exif_transpose(picture)
            if upright.mode in WIDE:
                values = _wide(picture, upright)
            else:
                plain = upright if upright.mode in ("L", "1", "F") else upright.convert("RGB")
                values = np.asarray(plain)
    except SourceError as error:
        raise LabelError(f"mask {error}") from error
    return np.asarray(values.any(axis=2) if values.ndim == 3 else values != 0)


@contextmanager
def _opened(path: Path) -> Iterator[Pillow.Image]:
    """The file with its header read; every fault of Pillow becomes one line that names the file."""
    if path.is_dir():
        raise SourceError(f"{path}: expected a picture, found a folder")
    try:
        if not path.stat().st_size:
            raise CorruptFrameError(f"{path}: expected a picture, got an empty file")
        with Pillow.open(path, formats=FORMATS) as picture:
            yield picture
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"{path}: expected a picture, found nothing there") from error
    except SourceError:
        raise
    except PermissionError as error:
        raise CorruptFrameError(f"{path}: cannot be read: {error.strerror}") from error
    except UnidentifiedImageError as error:
        raise CorruptFrameError(f"{path}: {_no_picture(path)}") from error
    except BROKEN as error:
        raise CorruptFrameError(f"{path}: the picture cannot be decoded: {error}") from error


def _exif(picture: Pillow.Image) -> Pillow.Exif:
    """Without decoding: where a .png has no tags before its pixels, Pillow looks behind them."""
    tagged = picture.format != "PNG" or "exif" in picture.info
    return picture.getexif() if tagged else Pillow.Exif()


def _no_picture(path: Path) -> str:
    return f"expected a picture, got {path.stat().st_size} bytes that are none"


def _check_size(path: Path, picture: Pillow.Image, most_pixels: int) -> None:
    width, height = picture.size
    pages = getattr(picture, "n_frames", 1)
    if width * height > most_pixels:
        raise CorruptFrameError(
            f"{path}: {width}x{height} is {width * height / 1e6:.3g} million pixels, over the "
            f"limit of {most_pixels / 1e6:.3g} million; cut it into tiles, or scale it down"
        )
    if min(width, height) < LEAST_SIDE:
        raise CorruptFrameError(f"{path}: {width}x{height}; expected {LEAST_SIDE} pixels a side")
    if pages > 1 and picture.format != "MPO":
        raise CorruptFrameError(
            f"{path}: holds {pages} pictures; expected one. Save each in a file of its own"
        )


def _rgb(path: Path, picture: Pillow.Image) -> Image:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode == "F" or (upright.mode == "I" and picture.format != "PNG"):
        raise CorruptFrameError(
            f"{path}: 32 bits per value, whose range is not known; expected 8 or 16 bits"
        )
    if upright.mode in WIDE:
        gray = _narrow(_wide(picture, upright))
        return np.repeat(gray[..., None], 3, axis=2)
    if upright.mode in ("LA", "RGBA", "PA", "La", "RGBa") or "transparency" in upright.info:
        upright = _on_white(upright.convert("RGBA"))
    return np.array(upright.convert("RGB"), np.uint8)


def _wide(picture: Pillow.Image, upright: Pillow.Image) -> Wide:
    """16 bits as they are shown: of these Pillow turns no negative round, as it does of 8 and 1."""
    values = np.asarray(upright)
    negative = getattr(picture, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO
    return 65535 - values if negative else values


def _narrow(wide: Wide) -> Image:
    """16 bits to 8, rounded: 65535 is 257 x 255."""
    return ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(picture: Pillow.Image) -> Pillow.Image:
    white = Pillow.new("RGBA", picture.size, "white")
    return Pillow.alpha_composite(white, picture)
