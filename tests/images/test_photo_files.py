import io
import os

import pytest
from PIL import Image

from facegender.images.decode import decode_photo
from facegender.images.photo_files import (
    begins_like_a_photo,
    is_hidden,
    is_photo_file,
    is_photo_name,
    is_system_folder,
)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "JPEG2000", "PPM", "AVIF"]
)
def test_a_photo_without_a_suffix_is_known_by_its_first_bytes(tmp_path, kind):
    data = encoded(kind)
    for name in ("noext", "a.unknown"):
        (tmp_path / name).write_bytes(data)
        if kind != "DIB":  # its first bytes say too little; it has a suffix of its own
            assert is_photo_file(str(tmp_path / name))
    assert decode_photo(data).size == (32, 32)


@pytest.mark.parametrize(
    "suffix",
    [
        "jfif",
        "JFIF",
        "pjpeg",
        "pjp",
        "dib",
        "apng",
        "jpx",
        "j2k",
        "pnm",
        "pbm",
        "hif",
        "mpo",
        "heic",
    ],
)
def test_suffixes_of_browsers_and_cameras_are_photos(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"damaged")
    assert is_photo_file(str(tmp_path / f"a.{suffix}"))
    assert is_photo_name(f"a.{suffix}")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jpg.json", b"{}"),
        ("a.xmp", b"<x:xmpmeta"),
        ("notes.txt", b"P6 is a road, BM a brand"),
        ("clip.mp4", b"\0\0\0\x20ftypisom\0\0\0\0"),
        ("empty", b""),
        ("raw.nef", encoded("TIFF")),
        ("a.jpg_original", encoded("JPEG")),
        ("a.jpg.part", encoded("JPEG")),
        ("clip.THM", encoded("JPEG")),
        ("._a.jpg", b"\0\5\26\7"),
        (".DS_Store", b"\0\0\0\1Bud1"),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0"),
    ],
)
def test_what_lies_beside_photos_is_none(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert not is_photo_file(str(tmp_path / name))


def test_a_pipe_is_not_waited_for_and_a_lost_link_is_left_to_the_reader(tmp_path):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert not is_photo_file(str(tmp_path / "pipe"))
    (tmp_path / "lost").symlink_to("nowhere")
    assert is_photo_file(str(tmp_path / "lost"))


@pytest.mark.parametrize(
    "name",
    [
        "@eaDir",
        "__MACOSX",
        ".thumbnails",
        ".Trashes",
        "$RECYCLE.BIN",
        "#recycle",
        "lost+found",
        "@Recycle",
    ],
)
def test_folders_of_systems_are_never_entered(name):
    assert is_system_folder(name)


def test_ordinary_names_are_not_hidden():
    assert not is_hidden("a.jpg")
    assert not any(map(is_system_folder, ("2024", "recycle", "thumbnails", "eaDir", "@home")))


def test_short_heads_are_no_photos():
    assert not any(begins_like_a_photo(head) for head in (b"", b"P", b"P6", b"BM", b"RIFF"))
