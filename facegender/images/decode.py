"""Decoding photo files to upright RGB arrays. The only module that uses Pillow's decoders."""

from __future__ import annotations

import ctypes
import io
import logging
import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError, _imaging

from facegender.errors import PhotoError
from facegender.images.decoder_guards import refuse_many_parts, refuse_odd_items, refuse_slow
from facegender.images.video_heads import HEAD, begins_like_a_video

Photo = NDArray[np.uint8]
"""An upright RGB photo: uint8, shape (height, width, 3)."""

AtLeast = Callable[[tuple[int, int]], tuple[int, int]]
"""Maps a photo's upright (width, height) to the minimum size that is needed."""

DECODED_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM")
"""Formats that are decoded, besides HEIF. Pillow's others run programs or are not photos."""

MAX_PIXELS = 178_000_000
"""Larger photos are refused as decompression bombs (Pillow's own limit is a little above)."""
MAX_BYTES = 1 << 30
MIN_SIDE = 16
"""Minimum length of the shorter side, in pixels: a smaller photo shows no recognisable face."""
KILLED = "damaged: reading it killed its process twice (a fault of the decoder, or no memory left)"
"""Reason given for a photo that crashes its process; see `parallel.ordered_map`."""
_BAND = 1 << 24
"""Pixels converted at a time, to bound the extra memory."""

# Without a handler, Python would print Pillow's log lines on stderr in addition to the error.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ORIENTATION = 0x0112
_DRAFTED = ("JPEG", "MPO")
_TURNED = (5, 6, 7, 8)
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """Upright width and height of a checked photo, in pixels."""

    width: int
    height: int


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return a photo file's bytes.

    Raises:
        PhotoError: missing, not a regular file, not readable, empty or above `MAX_BYTES`.
    """
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            raise PhotoError("not a file", "not a regular file")
        if facts.st_size == 0:
            raise PhotoError("empty", "empty file (0 bytes)")
        if facts.st_size > MAX_BYTES:
            raise PhotoError("too large", f"too large: {facts.st_size:,} bytes")
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        raise PhotoError("missing", "no such file") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise PhotoError("unreadable", f"cannot be read: {why}") from None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded photo.

    Attributes:
        pixels: the upright photo, at full size or smaller if less was requested.
        size: the upright (width, height) of the full photo.
    """

    pixels: Photo
    size: tuple[int, int]


def decode_photo(data: bytes, *, at_least: AtLeast | None = None) -> Decoded:
    """Decode a photo's bytes to an upright RGB array.

    The EXIF orientation is applied, transparency is composited on white, palettes, grey, CMYK and
    16-bit channels are converted to 8-bit RGB, and of several frames the first is used.

    Args:
        data: the file's bytes.
        at_least: maps the photo's size to the minimum (width, height) needed; a JPEG may then be
            decoded at 1/2, 1/4 or 1/8 of its size, never below that minimum.

    Raises:
        PhotoError: not a photo, truncated, damaged, too large, or smaller than `MIN_SIDE`.
    """
    with _opened(data) as image:
        refuse_small(_upright_size(image))
        own = image.size
        # Only JPEGs support draft mode, and their orientation is known before decoding.
        if at_least is not None and (image.format or "") in _DRAFTED:
            size = _upright_size(image)
            needed = at_least(size)
            image.draft(None, needed[::-1] if _orientation(image) in _TURNED else needed)
        reduced = image.size != own
        pixels = _to_rgb(_upright(image))
        return Decoded(pixels, size if reduced else (pixels.shape[1], pixels.shape[0]))


def pixels_of(image: Image.Image) -> Photo:
    """Return the upright RGB pixels of a Pillow image, as `decode_photo` does; it stays as it is.

    Raises:
        PhotoError: its file turns out to be damaged, or it is below `MIN_SIDE`.
    """
    refuse_small(_upright_size(image))
    try:
        return _to_rgb(_upright(image.copy()))
    except Exception as error:  # noqa: BLE001 (whatever a decoder raises, as in `_opened`)
        raise _photo_error(error) from None


def check_photo(data: bytes, *, min_size: int = MIN_SIDE) -> PhotoFacts:
    """Decode a photo only to check that it is complete.

    Args:
        data: the file's bytes.
        min_size: minimum length of the shorter side, in pixels; never below `MIN_SIDE`.

    Raises:
        PhotoError: as `decode_photo`, or the photo is smaller than `min_size`.
    """
    with _opened(data) as image:
        refuse_small(_upright_size(image), max(min_size, MIN_SIDE))
        own = image.size
        # The whole file is still read, so truncation is detected, at a fraction of the cost.
        image.draft(None, (32, 32))
        image.load()
        width, height = own[::-1] if _orientation(image) in _TURNED else own
    return PhotoFacts(width, height)


def decode_frames(data: bytes) -> Iterator[tuple[float, Photo]]:
    """Yield the frames of an animated picture, each with the seconds for which it stands.

    Args:
        data: the file's bytes; of a still photo its one frame is yielded.

    Raises:
        PhotoError: as `decode_photo`; it may come after some frames.
    """
    with _opened(data) as image:
        refuse_small(image.size)
        number = 0
        while True:
            image.load()
            yield max(float(image.info.get("duration") or 0) / 1000, 0.01), _to_rgb(image)
            number += 1
            try:
                image.seek(number)
            except EOFError:
                return


def has_frames(data: bytes) -> bool:
    """Tell whether an image has more than one frame; False where it cannot be read."""
    try:
        with _opened(data) as image:
            return bool(getattr(image, "is_animated", False))
    except PhotoError:
        return False


_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2", "DIB": ".bmp"}


def suffix_of(data: bytes) -> str:
    """Return the usual suffix of an image's format, such as ``.jpg``; "" if it is not an image."""
    try:
        with _opened(data) as image:
            name = image.format or ""
    except PhotoError:
        return ""
    return _SUFFIXES.get(name, f".{name.lower()}" if name else "")


def refuse_small(size: tuple[int, int], min_side: int = MIN_SIDE) -> None:
    """Raise `PhotoError` for a (width, height) whose shorter side is below `min_side` pixels."""
    if min(size) < min_side:
        width, height = size
        raise PhotoError(
            "too small", f"{width}x{height} pixels: the shorter side is below {min_side}"
        )


@contextmanager
def _opened(data: bytes) -> Iterator[ImageFile.ImageFile]:
    """Open an image from bytes; any exception of a decoder in the block becomes `PhotoError`."""
    if not data:
        raise PhotoError("empty", "empty file (0 bytes)")
    formats: tuple[str, ...] = DECODED_FORMATS
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and b"avif" not in data[8:64]:
        refuse_odd_items(data)
        register_heif()
        formats = ("HEIF",)
    refuse_many_parts(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd EXIF and size, which are handled here
        try:
            image = Image.open(io.BytesIO(data), formats=formats)
            if image.width * image.height > MAX_PIXELS:
                raise PhotoError("too large", f"too large: {image.width}x{image.height} pixels")
            progressive = bool(image.info.get("progressive"))
            refuse_slow(data, image.width * image.height, progressive=progressive)
            if image.format == "TIFF":
                _quiet_libtiff()
            yield image
        except PhotoError:
            raise
        except UnidentifiedImageError:
            raise PhotoError("not a photo", _unidentified(data)) from None
        except Exception as error:  # noqa: BLE001 - decoders raise exceptions of many types
            raise _photo_error(error) from None


@cache
def _quiet_libtiff() -> None:
    """Stop libtiff from printing on stderr what Pillow also raises; once per process."""
    with suppress(OSError, AttributeError):  # libtiff is missing or linked statically
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


def _unidentified(data: bytes) -> str:
    """Say what bytes of no image format are."""
    if begins_like_a_video(data[:HEAD]):
        return "not a photo but a video: give it the suffix of one, such as .mp4"
    return "not a photo: no known image format"


def _photo_error(error: Exception) -> PhotoError:
    """Return the reason for a decoder's exception."""
    if isinstance(error, (Image.DecompressionBombError, MemoryError)):
        return PhotoError("too large", f"too large: {str(error) or 'out of memory'}")
    text = " ".join(str(error).split()) or type(error).__name__
    cut = isinstance(error, EOFError) or any(w in text.lower() for w in ("truncat", "end of file"))
    if cut:
        return PhotoError("truncated", f"truncated: {text}")
    return PhotoError("unreadable", f"damaged: {text}")


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 if it is missing or invalid."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a photo with invalid EXIF is still a photo
        return 1


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Return the upright (width, height) as known before decoding.

    Pillow rotates TIFFs itself while decoding, and a PNG may store its orientation at its end.
    """
    width, height = image.size
    turned = _orientation(image) in _TURNED and image.format != "TIFF"
    return (height, width) if turned else (width, height)


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    method = _TRANSPOSE.get(_orientation(image))
    if method is None:
        return image
    turned = image.transpose(method)
    image.close()  # frees the pixels, otherwise held twice
    return turned


def _to_rgb(image: Image.Image) -> Photo:
    """Return an image's pixels as RGB; a large image is converted in bands of rows."""
    deep = image.mode.startswith("I") or image.mode == "F"
    convert = partial(_to_eight_bits, top=_largest(image)) if deep else _band_to_rgb
    width, height = image.size
    rows = max(1, _BAND // width)
    if rows >= height:
        return convert(image)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        pixels[top : top + rows] = convert(_band(image, top, rows))
    return pixels


def _band(image: Image.Image, top: int, rows: int) -> Image.Image:
    return image.crop((0, top, image.width, min(top + rows, image.height)))


def _band_to_rgb(image: Image.Image) -> Photo:
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _to_eight_bits(image: Image.Image, top: float) -> Photo:
    """Scale 16-bit and floating-point grey to 0..255; Pillow's conversion would clip."""
    values = _finite(image)
    if image.mode == "F" and top <= 1.0:
        values = values * 255.0
    elif top > 255.0:
        values = values * (255.0 / 65535.0)
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def _largest(image: Image.Image) -> float:
    """Return the maximum of a grey image, at least 0; NaN and infinity count as 0."""
    rows = max(1, _BAND // image.width)
    tops = (_finite(_band(image, top, rows)).max() for top in range(0, image.height, rows))
    return max(0.0, *(float(top) for top in tops))


def _finite(image: Image.Image) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)


def register_heif() -> None:
    """Let Pillow read HEIC too, once."""
    if "HEIF" not in Image.OPEN:
        from pi_heif import register_heif_opener

        register_heif_opener()
