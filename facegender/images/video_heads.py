"""How videos begin: which first bytes are those of a video. Imports nothing."""

from __future__ import annotations

from typing import Final

HEAD: Final = 400
"""Bytes that tell."""
_BEGINNINGS: Final = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\0\0\1\xba",  # MPEG program stream
    b"\0\0\1\xb3",  # MPEG video
    b"FLV\1",
    b"OggS",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",  # MXF
)
_STILLS: Final = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1")


def begins_like_a_video(head: bytes) -> bool:
    """Tell whether a file that begins with these bytes, `HEAD` or more if it has them, is one."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in (*_STILLS, b"msf1", b"M4A ", b"jpx ", b"jp2 ")
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    transport = len(head) > 376 and all(head[i] == 0x47 for i in (0, 188, 376))
    return transport or head.startswith(_BEGINNINGS)
