import io
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facegender.errors import PhotoError
from facegender.images.decode import check_photo, decode_photo, read_bytes
from tests.conftest import encoded, pattern


def load_photo(data):
    return decode_photo(data).pixels


BOX = np.zeros((40, 60, 3), np.uint8)
BOX[:20, :30] = (255, 0, 0)  # the top left quarter is red


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "GIF", "AVIF", "PPM"])
def test_formats(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    photo = load_photo(encoded(BOX, kind, **options))
    assert photo.shape == (40, 60, 3)
    assert photo.dtype == np.uint8
    assert photo[5, 5, 0] > 200
    assert photo[35, 55].max() < 50


def test_heic():
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(Image.fromarray(np.kron(BOX, np.ones((4, 4, 1), np.uint8)))).save(buffer)
    photo = load_photo(buffer.getvalue())
    assert photo.shape == (160, 240, 3)
    assert photo[20, 20, 0] > 180


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation):
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, 3),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(turns[orientation](BOX))
    data = encoded(stored, "PNG", exif=exif)
    decoded = decode_photo(data)
    assert decoded.size == (60, 40)
    np.testing.assert_array_equal(decoded.pixels, BOX)
    facts = check_photo(data)
    assert (facts.width, facts.height) == (60, 40)


def test_transparency_is_laid_on_white():
    rgba = np.dstack([BOX, np.full((40, 60), 255, np.uint8)])
    rgba[20:, :, 3] = 0
    photo = load_photo(encoded(rgba, "PNG"))
    assert (photo[30, 30] == 255).all()
    assert tuple(photo[5, 5]) == (255, 0, 0)


def test_a_transparent_colour_is_laid_on_white_too():
    buffer = io.BytesIO()
    Image.fromarray(BOX).save(buffer, "PNG", transparency=(0, 0, 0))
    photo = load_photo(buffer.getvalue())
    assert (photo[35, 55] == 255).all()
    assert tuple(photo[5, 5]) == (255, 0, 0)


def test_a_wish_to_stop_is_not_taken_for_a_broken_photo(monkeypatch):
    from facegender.errors import Interrupted

    def stopped(*_):
        raise Interrupted("stop")

    monkeypatch.setattr("facegender.images.decode._to_rgb", stopped)
    with pytest.raises(Interrupted):
        decode_photo(encoded(BOX, "PNG"))
    monkeypatch.setattr(Image.Image, "getexif", stopped)
    with pytest.raises(Interrupted):
        check_photo(encoded(BOX, "PNG"))


def test_16_bit_grey_is_scaled_and_not_clipped():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(16, 0)
    buffer = io.BytesIO()
    Image.fromarray(ramp).save(buffer, "PNG")
    photo = load_photo(buffer.getvalue())
    np.testing.assert_allclose(photo[0, :, 0], np.arange(256), atol=1)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "YCbCr"])
def test_modes_become_rgb(mode):
    buffer = io.BytesIO()
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    Image.fromarray(BOX).convert(mode).save(buffer, kind)
    photo = load_photo(buffer.getvalue())
    assert photo.shape == (40, 60, 3)
    assert photo[:20, :30, 0].mean() > photo[20:, 30:, 0].mean() + 60


def test_of_an_animation_the_first_frame_is_taken():
    buffer = io.BytesIO()
    first, second = Image.fromarray(BOX), Image.new("RGB", (60, 40), "blue")
    first.save(buffer, "GIF", save_all=True, append_images=[second])
    assert load_photo(buffer.getvalue())[5, 5, 0] > 200


def test_of_a_camera_with_two_lenses_the_first_picture_is_taken():
    buffer = io.BytesIO()
    first, second = Image.fromarray(BOX), Image.new("RGB", (60, 40), "blue")
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=95)
    photo = load_photo(buffer.getvalue())
    assert photo.shape == (40, 60, 3)
    np.testing.assert_array_equal(photo, load_photo(encoded(BOX, "JPEG", quality=95)))


def test_the_video_behind_a_motion_photo_is_passed_over():
    data = encoded(BOX, "JPEG", quality=95)
    video = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(range(256)) * 40
    np.testing.assert_array_equal(load_photo(data + video), load_photo(data))
    assert (check_photo(data + video).width, check_photo(data + video).height) == (60, 40)


def test_a_large_jpeg_is_decoded_smaller_but_never_below_what_is_asked():
    data = encoded(np.kron(BOX, np.ones((20, 20, 1), np.uint8)))
    decoded = decode_photo(data, at_least=lambda _size: (64, 64))
    height, width = decoded.pixels.shape[:2]
    assert decoded.size == (1200, 800)
    assert min(width, height) >= 64
    assert width < 1200


BAD = {
    "empty": (b"", "empty"),
    "text": (b"hello, world", "not a photo"),
    "html": (b"<html><body>404</body></html>", "not a photo"),
    "cut jpeg": (encoded(pattern(0, 1, (200, 200)))[:2000], "truncated"),
    "cut png": (encoded(pattern(0, 1, (200, 200)), "PNG")[:2000], "truncated"),
    "pdf": (b"%PDF-1.4 ....", "not a photo"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a photo"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_have_a_reason(name):
    data, reason = BAD[name]
    for use in (decode_photo, check_photo):
        with pytest.raises(PhotoError) as caught:
            use(data)
        assert caught.value.reason == reason
        assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "head", [b"\0\0\0\x20ftypisom", b"RIFF\0\0\0\0AVI LIST", b"\x1a\x45\xdf\xa3", b"\0\0\1\xba"]
)
def test_a_video_that_is_named_as_a_photo_is_called_one(head):
    with pytest.raises(PhotoError, match=r"not a photo but a video: .* such as \.mp4") as caught:
        decode_photo(head + bytes(400))
    assert caught.value.reason == "not a photo"
    with pytest.raises(PhotoError, match="no known image format"):
        decode_photo(b"hello, world" + bytes(400))


def test_a_decompression_bomb_is_refused_before_it_is_decoded():
    import struct
    import zlib

    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6)))
    with pytest.raises(PhotoError) as caught:
        decode_photo(bomb + chunk(b"IEND", b""))
    assert caught.value.reason == "too large"


def test_small_photos_are_refused_by_the_shorter_side():
    for use in (check_photo, decode_photo):
        with pytest.raises(PhotoError) as caught:
            use(encoded(np.zeros((300, 15, 3), np.uint8)))
        assert caught.value.reason == "too small"
    with pytest.raises(PhotoError) as caught:
        check_photo(encoded(BOX), min_size=41)
    assert caught.value.reason == "too small"
    assert check_photo(encoded(BOX), min_size=40).width == 60


def test_what_is_no_readable_file_has_a_reason(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for path, reason in [
        (tmp_path / "none", "missing"),
        (tmp_path / "pipe", "not a file"),
        (tmp_path, "not a file"),
        (tmp_path / "empty", "empty"),
        ("a\0b", "unreadable"),
        (tmp_path / ("x" * 300), "unreadable"),
    ]:
        with pytest.raises(PhotoError) as caught:
            read_bytes(path)
        assert caught.value.reason == reason, path


SEEDS = [encoded(pattern(0, 3), kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8),
    st.integers(0, 10**6),
)
def test_damaged_files_give_an_array_or_a_typed_error(data, changes, cut):
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        photo = load_photo(bytes(damaged[: 1 + cut % len(damaged)]))
    except PhotoError:
        return
    assert photo.dtype == np.uint8
    assert photo.ndim == 3
