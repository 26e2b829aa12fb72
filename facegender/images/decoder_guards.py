"""Refusing files that are far more expensive to decode than their pixels suggest.

The number of pixels is limited elsewhere. This module refuses what decoders do not limit: small
files that make them pass over a photo thousands of times or allocate millions of parts, and files
that crash them. Only the bytes are inspected; nothing is decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

from facegender.errors import PhotoError

MAX_SCANNED: Final = 1 << 32
"""Maximum of pixels times scans of a progressive JPEG; allows 20 scans of 200 million pixels."""
MAX_STRIPS: Final = 1_000_000
"""Maximum number of strips or tiles of a TIFF; a photo of 30,000 rows has at most 90,000."""
MAX_COMMENTS: Final = 1000
"""Maximum number of comments in a plain (text) PPM."""

MAX_SLOW: Final = 1 << 24
"""Maximum number of pixels of a plain (text) PPM or a run-length encoded BMP."""

_TEXT: Final = (b"P1", b"P2", b"P3")
_RUN_LENGTHS: Final = (b"\1\0\0\0", b"\2\0\0\0")
_SCAN: Final = b"\xff\xda"
_MARKER: Final = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_OFFSETS: Final = (273, 324)  # of strips, of tiles


def refuse_slow(data: bytes, pixels: int, *, progressive: bool) -> None:
    """Refuse large files that Pillow decodes in Python, and progressive JPEGs with many scans."""
    if progressive:
        _refuse_scans(data, pixels)
    slow = data[:2] in _TEXT or (data[:2] == b"BM" and data[30:34] in _RUN_LENGTHS)
    if slow and pixels > MAX_SLOW:
        raise PhotoError("too large", f"too large: {pixels:,} pixels in a slow format")


def _refuse_scans(data: bytes, pixels: int) -> None:
    """Refuse a JPEG with too many scans for its number of pixels.

    A scan without any new data takes 200 bytes, and as long to decode as any other.
    """
    max_scans = max(1, MAX_SCANNED // pixels)
    if data.count(_SCAN) <= max_scans:  # further ones may belong to a thumbnail or appended video
        return
    scans = _scans(data)
    if scans > max_scans:
        raise PhotoError("too large", f"too large: {scans:,} scans of {pixels:,} pixels")


def refuse_many_parts(data: bytes) -> None:
    """Refuse a TIFF with too many strips, and a text PPM with too many comments."""
    if data[:2] in (b"II", b"MM") and (strips := _strips(data)) > MAX_STRIPS:
        raise PhotoError("too large", f"too large: {strips:,} strips")
    if data[:2] in _TEXT and (notes := data.count(b"#")) > MAX_COMMENTS:
        raise PhotoError("too large", f"too large: {notes:,} comments")


def refuse_odd_items(data: bytes) -> None:
    """Refuse a HEIF whose item types or names are not UTF-8: pi-heif 1.4 crashes on it."""
    for begin, end in _meta_boxes(data):
        place = data.find(b"infe", begin, end)
        while place > 0:
            length = int.from_bytes(data[place - 4 : place], "big")
            text = place + (14 if data[place + 4 : place + 5] == b"\3" else 12)
            try:
                data[text : min(place - 4 + length, end)].decode("utf-8")
            except UnicodeDecodeError:
                raise PhotoError("unreadable", "damaged: an item's name is not text") from None
            place = data.find(b"infe", place + 4, end)


def _meta_boxes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of the `meta` boxes of a HEIF, which describe its items."""
    begin = 0
    while begin + 8 <= len(data):
        length = int.from_bytes(data[begin : begin + 4], "big")
        if length == 1:
            length = int.from_bytes(data[begin + 8 : begin + 16], "big")
        end = min(begin + length, len(data)) if length else len(data)
        if data[begin + 4 : begin + 8] == b"meta":
            yield begin, end
        begin = max(end, begin + 8)


def _scans(data: bytes) -> int:
    """Count the scans of the first image in a JPEG file."""
    scans, place = 0, 2
    while (found := _MARKER.search(data, place)) and found[1] != b"\xd9":
        scans += found[1] == b"\xda"
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return scans


def _strips(data: bytes) -> int:
    """Return the largest number of strips or tiles stated in the first directory of a TIFF."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    count, number, entry = ("Q", "Q", 20) if big else ("H", "L", 12)
    try:
        (start,) = struct.unpack_from(order + number, data, 8 if big else 4)
        (entries,) = struct.unpack_from(order + count, data, start)
        start += struct.calcsize(order + count)
        largest = 0
        for place in range(start, start + min(entries, 1 << 16) * entry, entry):
            tag, _, values = struct.unpack_from(f"{order}HH{number}", data, place)
            largest = max(largest, values if tag in _OFFSETS else 0)
    except (struct.error, OverflowError):  # truncated or invalid: the decoder reports it
        return 0
    return largest
