import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monitor.errors import CorruptFrameError, LabelError, SourceError, SourceNotFoundError
from monitor.stills.reading import PICTURE_SUFFIXES, picture_size, read_mask, read_picture
from tests.monitor.stills.sets import mask, picture, save

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def halves() -> Image.Image:
    """12 high, 20 wide: the left half red, the right half blue."""
    pixels = np.zeros((12, 20, 3), np.uint8)
    pixels[:, :10], pixels[:, 10:] = RED, BLUE
    return Image.fromarray(pixels)


@pytest.mark.parametrize("suffix", sorted(PICTURE_SUFFIXES))
def test_every_format_gives_the_same_colours(
    tmp_path: Path, halves: Image.Image, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    halves.save(path, quality=100)
    image = read_picture(path)
    assert image.shape == (12, 20, 3)
    assert image.dtype == np.uint8
    assert np.abs(image[6, 2].astype(int) - RED).max() <= 3
    assert np.abs(image[6, 17].astype(int) - BLUE).max() <= 3
    assert picture_size(path) == (12, 20)


@pytest.mark.parametrize(
    ("orientation", "red", "size"),
    [
        (1, (6, 2), (12, 20)),
        (3, (6, 17), (12, 20)),  # upside down: red comes to the right
        (6, (2, 6), (20, 12)),  # a quarter turn to the right: red comes to the top
        (8, (17, 6), (20, 12)),
    ],
)
def test_pictures_are_turned_upright(
    tmp_path: Path,
    halves: Image.Image,
    orientation: int,
    red: tuple[int, int],
    size: tuple[int, int],
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    halves.save(tmp_path / "a.png", exif=exif)
    image = read_picture(tmp_path / "a.png")
    assert image.shape[:2] == size == picture_size(tmp_path / "a.png")
    assert tuple(image[red]) == RED


def test_16_bits_are_scaled_by_their_full_range(tmp_path: Path) -> None:
    values = np.full((8, 8), 4095, np.uint16)  # all that 12 bits hold, unshifted
    values[0, :4] = (0, 257, 32896, 65535)
    for name in ("a.png", "a.tif"):
        image = read_picture(save(tmp_path / name, values))
        assert image.shape == (8, 8, 3)
        assert image[0, :4, 0].tolist() == [0, 1, 128, 255]
        assert image[4, 4].tolist() == [16, 16, 16]  # 4095 / 65535 of 255: documented as dark


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_whose_0_is_white_is_read_as_it_is_shown(
    tmp_path: Path, compression: str, dtype: type[np.unsignedinteger]
) -> None:
    most = np.iinfo(dtype).max
    shown = np.linspace(0, most, 64).astype(dtype).reshape(8, 8)
    stored = shown if dtype == np.uint8 else most - shown  # Pillow turns 8 bits round as it writes
    paths = [tmp_path / "plain.tif", tmp_path / "negative.tif"]
    Image.fromarray(shown).save(paths[0], compression=compression)
    Image.fromarray(stored).save(paths[1], compression=compression, tiffinfo={262: 0})
    before, after = map(read_picture, paths)
    assert np.array_equal(before, after)
    assert before[0, 0, 0] == 0
    assert before[7, 7, 0] == 255
    assert [read_mask(path).sum() for path in paths] == [63, 63]
    assert not read_mask(paths[1])[0, 0]


def test_gray_palette_and_bilevel_are_three_channels(tmp_path: Path, halves: Image.Image) -> None:
    gray = save(tmp_path / "gray.png", np.full((8, 9), 77, np.uint8))
    assert read_picture(gray)[3, 3].tolist() == [77, 77, 77]
    halves.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png")
    assert tuple(read_picture(tmp_path / "p.png")[6, 17]) == BLUE
    save(tmp_path / "1.png", np.eye(8, dtype=np.bool_))
    assert read_picture(tmp_path / "1.png")[1, :3, 0].tolist() == [0, 255, 0]


def test_alpha_is_laid_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., 0] = 200
    pixels[:4, :, 3], pixels[4:6, :, 3], pixels[6:, :, 3] = 255, 0, 128
    image = read_picture(save(tmp_path / "a.png", pixels))
    assert image[0, 0].tolist() == [200, 0, 0]
    assert image[4, 0].tolist() == [255, 255, 255]
    assert np.abs(image[7, 0].astype(int) - (227, 127, 127)).max() <= 1


def test_cmyk_is_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (10, 9), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    image = read_picture(tmp_path / "a.jpg")
    assert np.abs(image[4, 4].astype(int) - RED).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".gif"])
def test_several_pictures_in_a_file_are_refused(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (16, 16), (10 + 90 * i, 0, 0)) for i in range(3)]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(CorruptFrameError, match=rf"a{suffix}: holds 3 pictures; expected one"):
        read_picture(path)


def test_a_cameras_preview_is_not_a_second_picture(tmp_path: Path, halves: Image.Image) -> None:
    small = Image.new("RGB", (10, 8))
    halves.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[small], quality=100)
    assert read_picture(tmp_path / "a.jpg").shape == (12, 20, 3)


def test_too_small_is_refused(tmp_path: Path) -> None:
    dot = save(tmp_path / "dot.png", np.zeros((1, 1), np.uint8))
    for read in (read_picture, picture_size):
        with pytest.raises(CorruptFrameError, match=r"dot.png: 1x1; expected 8 pixels a side"):
            read(dot)


def bare_png(path: Path, width: int, height: int) -> Path:
    """A header that claims this size, and no pixels: decoding it fails, reading the header not."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0" * 64))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(
    ("side", "said"), [(10_000, "10000x10000 is 100"), (20_000, "20000x20000")]
)
def test_too_large_is_refused_by_its_header(tmp_path: Path, side: int, said: str) -> None:
    path = bare_png(tmp_path / "huge.png", side, side)
    for read in (read_picture, picture_size):
        with pytest.raises(CorruptFrameError, match=rf"huge.png: {said}.*limit of 89.5 million"):
            read(path)
    with pytest.raises(
        CorruptFrameError, match=r"0\.64 million pixels, over the limit of 0\.5 million"
    ):
        read_picture(picture(tmp_path / "a.png", size=(800, 800)), most_pixels=500_000)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp", ".gif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_cut_off_files_are_named(tmp_path: Path, suffix: str, share: float) -> None:
    path = picture(tmp_path / f"cut{suffix}", size=(64, 64))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CorruptFrameError, match=rf"cut{suffix}: ") as raised:
        read_picture(path)
    assert "\n" not in str(raised.value)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture at all")
    (tmp_path / "empty.png").touch()
    with pytest.raises(CorruptFrameError, match=r"text.png: expected a picture, got 17 bytes"):
        read_picture(tmp_path / "text.png")
    with pytest.raises(CorruptFrameError, match=r"empty.png: expected a picture, got an empty"):
        picture_size(tmp_path / "empty.png")
    with pytest.raises(SourceNotFoundError, match=r"none.png: expected a picture, found nothing"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(SourceError, match="found a folder"):
        read_picture(tmp_path)


def test_32_bits_have_no_known_range(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", np.ones((9, 9), np.float32))
    with pytest.raises(CorruptFrameError, match="32 bits per value"):
        read_picture(path)


def test_masks_are_where_anything_is_not_zero(tmp_path: Path) -> None:
    truth = read_mask(mask(tmp_path / "a.png"))
    assert truth.dtype == np.bool_
    assert truth.sum() == 20
    assert truth[4:8, 10:15].all()
    faint = np.zeros((9, 9, 3), np.uint8)
    faint[2, 3, 2] = 1
    assert np.argwhere(read_mask(save(tmp_path / "b.png", faint))).tolist() == [[2, 3]]
    opaque = np.dstack([faint, np.full((9, 9), 255, np.uint8)])
    assert read_mask(save(tmp_path / "c.png", opaque)).sum() == 1
    (tmp_path / "d.png").write_text("none")
    with pytest.raises(LabelError, match=r"mask .*d.png: expected a picture"):
        read_mask(tmp_path / "d.png")
