"""Small valid photos of every format and of many kinds, for the mutations to damage."""

from __future__ import annotations

import io
import struct
from functools import cache

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, features

from tests.conftest import pattern

SIZE = (64, 48)


@cache
def seeds() -> dict[str, list[bytes]]:
    """Whole files by format; the same on every run with the same libraries."""
    made = {
        "JPEG": _jpegs(),
        "PNG": _pngs(),
        "WEBP": _webps(),
        "TIFF": _tiffs(),
        "GIF": _gifs(),
        "BMP": [_saved(_photo(), "BMP"), _saved(_photo().convert("P"), "BMP"), run_length_bmp()],
        "PPM": [_saved(_photo(), "PPM"), _saved(_photo("L"), "PPM"), _plain_ppm()],
    }
    if features.check("avif"):
        made["AVIF"] = _avifs()
    if features.check("jpg_2000"):
        made["JPEG2000"] = [
            _saved(_photo(), "JPEG2000"),
            _saved(_photo("RGBA"), "JPEG2000", irreversible=True, num_resolutions=3),
            _saved(_photo(), "JPEG2000", no_jp2=True, tile_size=(32, 32)),
        ]
    heics = _heics()
    return made | ({"HEIC": heics} if heics else {})


def _photo(mode: str = "RGB") -> Image.Image:
    image = Image.fromarray(pattern(0, 7, SIZE))
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(SIZE))
        return image.convert(mode)
    return image.convert(mode)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _exif(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A maker"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return exif


def icc_profile() -> bytes:
    """A colour profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _jpegs() -> list[bytes]:
    frames = [_photo().rotate(90, expand=True)]
    return [
        _saved(_photo(), "JPEG"),
        _saved(_photo(), "JPEG", progressive=True, exif=_exif(), comment=b"hello"),
        _saved(_photo("L"), "JPEG", icc_profile=icc_profile(), optimize=True),
        _saved(_photo("CMYK"), "JPEG", quality=95),
        _saved(_photo(), "JPEG", subsampling=0, restart_marker_blocks=2),
        _saved(_photo(), "MPO", save_all=True, append_images=frames, exif=_exif(8)),
    ]


def _pngs() -> list[bytes]:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("plain", "text" * 20)
    notes.add_text("packed", "text" * 500, zip=True)
    notes.add_itxt("international", "größer" * 50, zip=True)
    grey16 = Image.fromarray(np.linspace(0, 65535, 3072).astype(np.uint16).reshape(48, 64))
    return [
        _saved(_photo(), "PNG", pnginfo=notes, exif=_exif(), icc_profile=icc_profile()),
        _saved(_photo("RGBA"), "PNG"),
        _saved(_photo("P"), "PNG", transparency=b"\x00\x80\xff" * 20),
        _saved(grey16, "PNG"),
        _saved(_photo("1"), "PNG"),
        _saved(_photo("LA"), "PNG", dpi=(300, 300)),
        _saved(_photo(), "PNG", save_all=True, append_images=[_photo().rotate(9)], duration=10),
    ]


def _webps() -> list[bytes]:
    return [
        _saved(_photo(), "WEBP"),
        _saved(_photo("RGBA"), "WEBP", lossless=True, exact=True),
        _saved(_photo("RGBA"), "WEBP", exif=_exif().tobytes(), icc_profile=icc_profile()),
        _saved(_photo(), "WEBP", save_all=True, append_images=[_photo().rotate(9)], duration=10),
    ]


def _tiffs() -> list[bytes]:
    plain = [_saved(_photo(), "TIFF"), _saved(_photo("CMYK"), "TIFF")]
    packed = ("tiff_deflate", "tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate")
    deep = Image.fromarray(np.linspace(0, 65535, 3072).astype(np.uint16).reshape(48, 64))
    return [
        *plain,
        *(_saved(_photo(), "TIFF", compression=name) for name in packed),
        _saved(_photo("1"), "TIFF", compression="group4"),
        _saved(_photo("P"), "TIFF"),
        _saved(_photo("RGBA"), "TIFF", compression="tiff_lzw"),
        _saved(deep, "TIFF"),
        _saved(_photo("F"), "TIFF", exif=_exif()),
        _saved(_photo(), "TIFF", save_all=True, append_images=[_photo("L"), _photo("1")]),
        _saved(_photo(), "TIFF", big_tiff=True),
    ]


def _gifs() -> list[bytes]:
    frames = [_photo().rotate(angle).convert("P") for angle in (10, 20)]
    return [
        _saved(_photo("P"), "GIF"),
        _saved(_photo("L"), "GIF", interlace=True, comment=b"hello" * 99),
        _saved(_photo("P"), "GIF", save_all=True, append_images=frames, disposal=2, loop=0),
        _saved(_photo("P"), "GIF", transparency=3),
    ]


def _avifs() -> list[bytes]:
    return [
        _saved(_photo(), "AVIF", speed=10),
        _saved(_photo("RGBA"), "AVIF", speed=10, exif=_exif(), icc_profile=icc_profile()),
        _saved(_photo(), "AVIF", speed=10, save_all=True, append_images=[_photo().rotate(9)]),
    ]


def _heics() -> list[bytes]:
    try:
        import pillow_heif
    except ImportError:
        return []

    def saved(*photos: Image.Image, **options: object) -> bytes:
        file = pillow_heif.HeifFile()
        for photo in photos:
            file.add_from_pillow(photo)
        buffer = io.BytesIO()
        file.save(buffer, **options)
        return buffer.getvalue()

    return [
        saved(_photo()),
        saved(_photo("RGBA"), quality=-1),
        saved(_photo(), _photo("L"), exif=_exif().tobytes()),
        saved(_photo().resize((640, 480)), quality=10),
    ]


def run_length_bmp(width: int = 64, height: int = 48, body: bytes | None = None) -> bytes:
    """A BMP packed by run lengths, which Pillow reads but does not write."""
    if body is None:
        rows = (bytes((width, row % 256, 0, 0)) for row in range(height))
        body = b"".join(rows) + b"\x00\x01"
    palette = b"".join(bytes((i, 255 - i, i // 2, 0)) for i in range(256))
    start = 54 + len(palette)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + head + palette + body


def _plain_ppm() -> bytes:
    pixels = np.asarray(_photo().resize((32, 24)))
    return b"P3\n# hello\n32 24\n255\n" + b" ".join(b"%d" % v for v in pixels.ravel()) + b"\n"
