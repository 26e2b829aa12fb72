"""Damage to files, the same for the same number.

Beside blind damage (bits, blocks, cuts, splices) there is damage that knows the format: parts are
moved, doubled, lengthened or given other numbers, and check sums are mended afterwards, so that it
reaches the decoders behind them.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

Part = tuple[int, int]
"""Where a chunk, segment or box begins and ends."""

ODD_NUMBERS = (0, 1, 2, 7, 8, 15, 16, 17, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF)
ODD_NUMBERS += (0x10000, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_BOXES = (b"meta", b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"iinf")


def mutated(number: int, seeds: dict[str, list[bytes]]) -> tuple[str, bytes]:
    """Return a format and a damaged file of it; formats take turns."""
    rng = random.Random(number)
    kind = sorted(seeds)[number % len(seeds)]
    data = bytearray(rng.choice(seeds[kind]))
    others = seeds[rng.choice(sorted(seeds)) if rng.random() < 0.2 else kind]
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        change = rng.choice(_CHANGES)
        data = change(data, rng, kind, rng.choice(others)) if data else data
    if rng.random() < 0.9:
        data = _with_check_sums(data, kind)
    return kind, bytes(data)


Change = Callable[[bytearray, random.Random, str, bytes], bytearray]


def _flip_bits(data: bytearray, rng: random.Random, _kind: str, _other: bytes) -> bytearray:
    for _ in range(rng.choice((1, 2, 8, 64))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)
    return data


def _put_number(data: bytearray, rng: random.Random, _kind: str, _other: bytes) -> bytearray:
    """An odd number of one to eight bytes, most of all where the headers are."""
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(ODD_NUMBERS) % (1 << 8 * width)
    place = _place(data, rng)
    data[place : place + width] = value.to_bytes(width, rng.choice(("little", "big")))
    return data


def _overwrite(data: bytearray, rng: random.Random, _kind: str, _other: bytes) -> bytearray:
    place, length = _place(data, rng), rng.randrange(1, 64)
    filler = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))
    data[place : place + length] = filler
    return data


def _truncate(data: bytearray, rng: random.Random, _kind: str, _other: bytes) -> bytearray:
    return data[: rng.randrange(len(data) + 1)]


def _remove(data: bytearray, rng: random.Random, _kind: str, _other: bytes) -> bytearray:
    place = _place(data, rng)
    del data[place : place + rng.choice((1, 2, 4, 16, 200))]
    return data


def _repeat(data: bytearray, rng: random.Random, _kind: str, _other: bytes) -> bytearray:
    place, length = _place(data, rng), rng.choice((1, 4, 16, 200))
    block = bytes(data[place : place + length]) * rng.choice((1, 2, 50))
    data[place:place] = block
    return data


def _splice(data: bytearray, rng: random.Random, _kind: str, other: bytes) -> bytearray:
    """The beginning of one file and the end of another."""
    cut = rng.randrange(len(data) + 1)
    return data[:cut] + other[rng.randrange(len(other)) if rng.random() < 0.5 else cut :]


def _graft(data: bytearray, rng: random.Random, kind: str, other: bytes) -> bytearray:
    """A part of another file, put before a part of this one."""
    ours, theirs = _parts(data, kind), _parts(bytearray(other), kind)
    if not ours or not theirs:
        return _splice(data, rng, kind, other)
    begin, end = rng.choice(theirs)
    place = rng.choice(ours)[0]
    data[place:place] = other[begin:end]
    return data


def _move_part(data: bytearray, rng: random.Random, kind: str, other: bytes) -> bytearray:
    """Double, many times over, remove or exchange parts."""
    parts = _parts(data, kind)
    if not parts:
        return _repeat(data, rng, kind, other)
    begin, end = rng.choice(parts)
    part = bytes(data[begin:end])
    what = rng.randrange(4)
    if what == 0:
        data[begin:end] = b""
    elif what == 1:
        place = rng.choice(parts)[0]
        data[place:place] = part
    else:
        data[begin:begin] = part * (1 if what == 2 else rng.choice((3, 30)))
    return data


def _lie_in_part(data: bytearray, rng: random.Random, kind: str, other: bytes) -> bytearray:
    """Another number within a part's first bytes: its length, its name, its sizes."""
    parts = _parts(data, kind)
    if not parts:
        return _put_number(data, rng, kind, other)
    begin, end = rng.choice(parts)
    width = rng.choice((1, 2, 4))
    place = begin + rng.randrange(max(1, min(24, end - begin)))
    value = rng.choice((*ODD_NUMBERS, rng.randrange(1 << 16))) % (1 << 8 * width)
    order = "little" if kind in ("TIFF", "WEBP", "GIF", "BMP", "AVI") else "big"
    data[place : place + width] = value.to_bytes(width, order)
    return data


_CHANGES: tuple[Change, ...] = (
    *(_flip_bits, _put_number, _overwrite, _truncate, _remove, _repeat, _splice, _graft),
    *(_move_part, _lie_in_part, _lie_in_part),
)


def _place(data: bytearray, rng: random.Random) -> int:
    """A place in a file; every other time near its beginning, where headers are."""
    return rng.randrange(min(len(data), 128) if rng.random() < 0.5 else len(data))


def _parts(data: bytearray, kind: str) -> list[Part]:
    """The parts of a file as far as they can be followed."""
    walk = {
        "PNG": _png_chunks,
        "JPEG": _jpeg_segments,
        "WEBP": _riff_chunks,
        "TIFF": _tiff_entries,
        "GIF": _gif_blocks,
        "HEIC": _boxes,
        "AVIF": _boxes,
        "JPEG2000": _boxes,
        "MP4": _boxes,
        "AVI": _riff_chunks,
    }.get(kind)
    return walk(data) if walk else []


def _png_chunks(data: bytearray) -> list[Part]:
    parts, place = [], 8
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if end > len(data):
            break
        parts.append((place, end))
        place = end
    return parts


def _jpeg_segments(data: bytearray) -> list[Part]:
    parts, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1] == 0xDA:  # the packed pixels follow, up to the next marker
            while end + 1 < len(data) and (data[end] != 0xFF or data[end + 1] in _WITHIN_SCAN):
                end += 1
        parts.append((place, min(end, len(data))))
        place = end
    return parts


_WITHIN_SCAN = (0, *range(0xD0, 0xD8))


def _riff_chunks(data: bytearray) -> list[Part]:
    parts, place = [], 12
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        end = min(place + 8 + length + length % 2, len(data))
        parts.append((place, end))
        place = end
    return parts


def _tiff_entries(data: bytearray) -> list[Part]:
    order = "little" if data[:2] == b"II" else "big"
    start = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[start : start + 2], order)
    places = (start + 2 + 12 * i for i in range(min(count, 200) + 1))  # and the next directory's
    return [(place, place + 12) for place in places if place + 4 <= len(data)]


def _gif_blocks(data: bytearray) -> list[Part]:
    """The screen, and whatever begins like an extension or a picture."""
    starts = [6, *(i for i in range(13, len(data) - 2) if data[i] == 0x2C or _extends(data, i))]
    return list(zip(starts, [*starts[1:], len(data)], strict=True))


def _extends(data: bytearray, place: int) -> bool:
    return data[place] == 0x21 and data[place + 1] in (0xF9, 0xFE, 0xFF)


def _boxes(data: bytearray, begin: int = 0, end: int | None = None, depth: int = 0) -> list[Part]:
    parts: list[Part] = []
    end = len(data) if end is None else end
    while begin + 8 <= end and len(parts) < 500:
        length = int.from_bytes(data[begin : begin + 4], "big")
        stop = min(begin + length, end)
        if length < 8:
            break
        parts.append((begin, stop))
        name = bytes(data[begin + 4 : begin + 8])
        if name in _BOXES and depth < 8:
            head = {b"meta": 12, b"iinf": 14}.get(name, 8)
            parts += _boxes(data, begin + head, stop, depth + 1)
        begin = stop
    return parts


def _with_check_sums(data: bytearray, kind: str) -> bytearray:
    """Mend what would otherwise refuse the file before its content is looked at."""
    if kind == "PNG":
        for begin, end in _png_chunks(data):
            data[end - 4 : end] = struct.pack(">I", zlib.crc32(data[begin + 4 : end - 4]))
    elif kind == "WEBP" and len(data) > 12:
        data[4:8] = struct.pack("<I", len(data) - 8)
    return data
