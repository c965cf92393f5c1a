"""A picture in cells: half a cell to a pixel, or by Kitty or Sixel where the terminal has them."""

import io
from typing import Literal

from PIL import Image, UnidentifiedImageError
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static
from textual_image.widget import HalfcellImage
from textual_image.widget import Image as BestImage

Images = Literal["off", "half", "auto"]
LARGEST = (1920, 1080)  # enough for any terminal; a larger one only costs time


class Picture(Container):
    """Keeps the shape of the picture; says why there is none.

    `live` pictures come every second and are always drawn in half cells: Sixel flickers.
    """

    def __init__(self, images: Images, *, live: bool, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._images = images
        self._live = live
        self._bytes: bytes | None = None

    def compose(self) -> ComposeResult:
        """The picture, or a line in its place."""
        kind = HalfcellImage if self._live or self._images == "half" else BestImage
        self._picture = kind()
        self._line = Static("", classes="why", markup=False)
        yield self._picture
        yield self._line

    def show(self, data: bytes | None, why: str = "no picture yet") -> None:
        """A JPEG or PNG, or why there is none; broken ones are said to be."""
        if self._images == "off":
            data, why = None, "pictures are off  (--images half)"
        if data is not None and data == self._bytes:
            return
        self._bytes = data
        picture = None
        if data is not None:
            try:
                picture = _open(data)
            except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError):
                why = "the picture cannot be read"
        self._picture.image = picture
        self._picture.display = picture is not None
        self._line.display = picture is None
        self._line.update(why)


def _open(data: bytes) -> Image.Image:
    opened = Image.open(io.BytesIO(data))
    opened.draft("RGB", LARGEST)
    picture = opened.convert("RGB")
    picture.thumbnail(LARGEST)
    return picture
