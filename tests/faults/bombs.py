"""Files that ask their decoder for far more than their size would let one think."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from tests.faults.seeds import run_length_bmp


def png_chunk(kind: bytes, body: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + crc


def png(width: int, height: int, extra: bytes = b"", *, colour: int = 2, depth: int = 8) -> bytes:
    """An empty PNG of any size: zeros pack a thousandfold."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    packer, row = zlib.compressobj(9), bytes(1 + width * channels * depth // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    chunks = png_chunk(b"IHDR", head) + extra + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_header(width: int, height: int) -> bytes:
    """A PNG that states a size and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def packed_text(size: int) -> bytes:
    return png(64, 64, png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(size))) * 20)


def packed_profile(size: int) -> bytes:
    return png(64, 64, png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(size))))


def many_scans(width: int, height: int, scans: int, behind: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan, which adds nothing, is there many times."""
    buffer = io.BytesIO()
    Image.new("L", (width, height), 128).save(buffer, "JPEG", progressive=True, quality=1)
    data = buffer.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + b"\xff\xd9" + behind


def many_strips(strips: int, *, big: bool = False) -> bytes:
    """A TIFF of 16 pixels a row, each row a strip, all in one place."""
    entry, number = ("<HHQQ", "<Q") if big else ("<HHII", "<I")
    head = (
        struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if big else struct.pack("<2sHI", b"II", 42, 8)
    )
    count = struct.pack("<Q" if big else "<H", 10)
    places = len(head) + len(count) + 10 * struct.calcsize(entry) + struct.calcsize(number)
    lengths = places + 4 * strips
    entries = [
        *((256, 4, 1, 16), (257, 4, 1, strips), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)),
        *((273, 4, strips, places), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, strips, lengths)),
        (284, 3, 1, 1),
    ]
    directory = count + b"".join(struct.pack(entry, *e) for e in entries) + struct.pack(number, 0)
    pixels = struct.pack("<I", lengths + 4 * strips) * strips + struct.pack("<I", 16) * strips
    return head + directory + pixels + bytes(16)


def directory_chain(links: int) -> bytes:
    """A TIFF of many directories, the last of which leads back to the first."""
    entries = [
        *((256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)),
        *((273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 64), (279, 4, 1, 4096)),
    ]
    body = struct.pack("<H", 9) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    size = len(body) + 4
    ends = (8 + size * link if link < links else 8 for link in range(1, links + 1))
    return (
        b"II*\0\x08\0\0\0" + b"".join(body + struct.pack("<I", end) for end in ends) + bytes(4096)
    )


def animation(frames: int) -> bytes:
    """A GIF whose first frame is 64x64, with many more."""
    buffer = io.BytesIO()
    shades = [Image.new("L", (64, 64), i % 256) for i in range(frames)]
    shades[0].save(buffer, "GIF", save_all=True, append_images=shades[1:])
    return buffer.getvalue()


REFUSED = {
    "a PNG of 30,000x30,000": lambda: png_header(30_000, 30_000),
    "a PNG of 4,294 million rows": lambda: png_header(16, 0x7FFFFFFF),
    "a JPEG of 5,000 scans": lambda: many_scans(3000, 3000, 5000),
    "a TIFF of 1.2 million strips": lambda: many_strips(1_200_000),
    "a big TIFF of 1.2 million strips": lambda: many_strips(1_200_000, big=True),
    "a text PPM of comments": lambda: b"P3\n64 64\n255\n" + b"#\n" * 10_000 + b"1 " * 64 * 64 * 3,
    "a text PPM of 25 million pixels": lambda: b"P2\n5000 5000\n255\n1 1",
    "a BMP of run lengths": lambda: run_length_bmp(200_000, 100, b"\0\0" * 100 + b"\0\1"),
}
"""Refused as too large, by what they state."""

UNREADABLE = {
    "400 MB of PNG text": lambda: packed_text(20_000_000),
    "100 MB of colour profile": lambda: packed_profile(100_000_000),
}
"""Refused by the decoder before they are unpacked."""

HARMLESS = {
    "a PNG of 100,000 empty chunks": lambda: png(64, 64, png_chunk(b"prVt", b"") * 100_000),
    "a PNG of 30 MB of text": lambda: png(64, 64, png_chunk(b"tEXt", b"a\0" + b"x" * 999) * 30_000),
    "a PNG of 65,535 EXIF tags": lambda: png(64, 64, png_chunk(b"eXIf", _many_tags())),
    "a TIFF of 20,000 directories": lambda: directory_chain(20_000),
    "a GIF of 2,000 frames": lambda: animation(2000),
    "a small JPEG of 300 scans": lambda: many_scans(64, 64, 300),
    "a large JPEG and a film": lambda: many_scans(3000, 3000, 3, b"\xff\xda\0\2" * 5000),
}
"""Of ordinary size in pixels, whatever else they hold: decoded."""


def _many_tags() -> bytes:
    tags = struct.pack("<HHII", 0x9000, 7, 4_000_000_000, 20) * 65535
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 65535) + tags
