"""Photos that were made to break their reader. The whole fuzz: ``-m slow``, or `fuzz_photos`."""

import io
import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from PIL import Image

from facegender.errors import PhotoError
from facegender.images.decode import KILLED, check_photo, decode_photo
from tests.conftest import encoded, pattern
from tests.faults import bombs
from tests.faults.fuzz_photos import fuzz
from tests.faults.seeds import icc_profile, seeds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc")


def test_damaged_photos_are_decoded_or_refused():
    outcome = fuzz(range(600))
    assert not outcome.faults
    assert sum(t.decoded + t.refused.total() for t in outcome.tallies.values()) == 600
    assert all(tally.decoded for tally in outcome.tallies.values())
    assert all(tally.refused for tally in outcome.tallies.values())


@pytest.mark.slow
def test_twenty_thousand_damaged_photos_are_decoded_or_refused():
    outcome = fuzz(range(1_000_000, 1_020_000))
    assert not outcome.faults
    assert sum(t.decoded + t.refused.total() for t in outcome.tallies.values()) == 20_000


def outcome_of(data):
    """What becomes of a photo, in at most 10 seconds of work."""
    start = time.process_time()
    results = []
    for use in (decode_photo, check_photo):
        try:
            use(data)
            results.append("decoded")
        except PhotoError as error:
            results.append(error.reason)
    assert time.process_time() - start < 10
    assert results[0] == results[1]
    return results[0]


@pytest.mark.parametrize("name", bombs.REFUSED)
def test_bombs_are_refused_by_what_they_state(name):
    assert outcome_of(bombs.REFUSED[name]()) == "too large"


@pytest.mark.parametrize("name", bombs.UNREADABLE)
def test_bombs_in_metadata_are_refused(name):
    assert outcome_of(bombs.UNREADABLE[name]()) == "unreadable"


@pytest.mark.parametrize("name", bombs.HARMLESS)
def test_what_is_odd_but_harmless_is_decoded(name):
    assert outcome_of(bombs.HARMLESS[name]()) == "decoded"


@pytest.mark.parametrize(
    ("colour", "depth"), [(2, 8), (6, 8), (0, 16)], ids=["RGB", "transparent", "16-bit"]
)
def test_a_large_photo_takes_at_most_ten_bytes_a_pixel(tmp_path, colour, depth):
    side = 5000
    (tmp_path / "large.png").write_bytes(bombs.png(side, side, colour=colour, depth=depth))
    code = (
        "import sys\n"
        "from facegender.images.decode import decode_photo\n"
        "from tests.faults.fuzz_photos import _forget_peak, _peak\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "_forget_peak()\n"
        "before = _peak()\n"
        "assert decode_photo(data).pixels.shape == (5000, 5000, 3)\n"
        "print(_peak() - before)\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "large.png"]
    used = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert used < 10 * side * side + (350 << 20)  # a band is converted at once, beside the photo


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("size", [(16, 16_000), (16_000, 16)])
def test_long_photos_are_photos(kind, size):
    data = encoded(np.zeros((size[1], size[0], 3), np.uint8), kind)
    assert decode_photo(data).size == size
    thin = np.zeros((1, max(size), 3), np.uint8)
    with pytest.raises(PhotoError, match="the shorter side is below"):
        decode_photo(encoded(thin if size[0] > size[1] else thin.transpose(1, 0, 2), kind))


def test_a_photo_of_30000_pixels_is_decoded_whole_and_in_part():
    data = encoded(np.full((100, 30_000, 3), 90, np.uint8), "JPEG")
    assert decode_photo(data).pixels.shape == (100, 30_000, 3)
    reduced = decode_photo(data, at_least=lambda _size: (3750, 12))
    assert reduced.size == (30_000, 100)
    assert reduced.pixels.shape == (13, 3750, 3)


PHOTO = np.kron(np.zeros((20, 30, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
PHOTO[:40, :60] = (255, 0, 0)  # the top left quarter is red
TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 3),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "packed TIFF", "AVIF", "HEIC"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_comes_out_upright_with_its_upright_size(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(TURNED[orientation](PHOTO)))
    buffer = io.BytesIO()
    if kind == "HEIC":
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(image).save(buffer, exif=exif.tobytes(), quality=-1)
    elif kind == "packed TIFF":
        image.save(buffer, "TIFF", exif=exif, compression="tiff_lzw")
    else:
        image.save(buffer, kind, exif=exif)
    decoded = decode_photo(buffer.getvalue())
    assert decoded.size == (120, 80)
    assert decoded.pixels.shape == PHOTO.shape
    assert np.abs(decoded.pixels.astype(int) - PHOTO).mean() < 10
    facts = check_photo(buffer.getvalue())
    assert (facts.width, facts.height) == (120, 80)
    reduced = decode_photo(buffer.getvalue(), at_least=lambda size: (size[0] // 4, size[1] // 4))
    assert reduced.size == (120, 80)
    assert reduced.pixels.shape[1] > reduced.pixels.shape[0]


GARBAGE = {
    "no EXIF at all": b"Exif\0\0" + b"\xff" * 50,
    "an empty EXIF": b"Exif\0\0",
    "a directory out of the file": b"Exif\0\0II*\0\xff\xff\xff\x7f",
    "a directory in itself": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0",
    "orientation 99": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0",
    "orientation as text": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x02\0\0\0up\0\0\0\0\0\0",
    "no orientation": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\0\0\0\0\x06\0\0\0\0\0\0\0",
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("name", GARBAGE)
def test_exif_garbage_costs_no_photo(name, kind):
    data = encoded(PHOTO, kind, exif=GARBAGE[name])
    decoded = decode_photo(data)
    assert decoded.size == (120, 80)
    np.testing.assert_array_equal(decoded.pixels, decode_photo(encoded(PHOTO, kind)).pixels)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("profile", ["whole", "cut", "garbage", "empty"])
def test_a_colour_profile_costs_no_photo(kind, profile):
    whole = icc_profile()
    content = {"whole": whole, "cut": whole[:99], "garbage": b"\xff" * 999, "empty": b""}[profile]
    assert decode_photo(encoded(PHOTO, kind, icc_profile=content)).size == (120, 80)


@pytest.mark.parametrize("name", [b"Ex\xfff", b"\xe9xif", b"\xff\xff\xff\xff", b"ABCD"])
def test_an_item_whose_type_is_no_text_does_not_crash_the_heif_decoder(name):
    """In a process of its own, since the decoder did crash on these."""
    pytest.importorskip("pillow_heif")
    data = seeds()["HEIC"][2]
    place = data.index(b"Exif", data.index(b"infe"))
    code = (
        "import sys\n"
        "from facegender.errors import PhotoError\n"
        "from facegender.images.decode import decode_photo\n"
        "try:\n"
        "    print(decode_photo(sys.stdin.buffer.read()).size)\n"
        "except PhotoError as error:\n"
        "    print(error)\n"
    )
    damaged = data[:place] + name + data[place + 4 :]
    done = subprocess.run([sys.executable, "-c", code], input=damaged, capture_output=True)
    said = "(48, 64)" if name == b"ABCD" else "damaged: an item's name is not text"
    assert (done.returncode, done.stdout.decode().strip()) == (0, said)


def test_an_animated_bomb_is_judged_by_its_first_frame():
    """Frames larger than the first would be found only by whoever looked at them."""
    data = bombs.animation(3)
    frame = b"\x2c\0\0\0\0\x40\0\x40\0"
    place = data.index(frame, data.index(frame) + 1)
    lie = data[: place + 5] + b"\xff\xff\xff\xff" + data[place + 9 :]
    assert decode_photo(lie).size == (64, 64)


CRASH = """
import os, signal
from facegender.images import decode as photo
from facegender.faces import extraction as crops
from facegender.dataset import checks

def deadly(function):
    def use(data, **options):
        if data.endswith(b"deadly"):
            os.kill(os.getpid(), signal.SIGSEGV)
        return function(data, **options)
    return use

crops.decode_photo = deadly(photo.decode_photo)
checks.check_photo = deadly(photo.check_photo)
"""
"""As sitecustomize.py it is run by every process, by the workers that read photos too."""


def run_with(code, folder, *arguments):
    """Run a command in processes that begin with some code."""
    (folder / "sitecustomize.py").write_text(code)
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "facegender", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
    )


@pytest.fixture
def with_a_deadly_photo(in_tmp):
    """150 photos, of which one crashes the decoder."""
    for i in range(150):
        folder = in_tmp / "photos" / ("female", "male")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        data = encoded(pattern(i % 2, i))
        (folder / f"{i:03}.jpg").write_bytes(data + (b"deadly" if i == 77 else b""))
    return partial(run_with, CRASH, in_tmp)


def test_a_decoder_that_crashes_costs_predict_one_photo(with_a_deadly_photo, toy_model):
    arguments = ("photos", "-r", "--jsonl", "-q", "--workers", "2", "--model", toy_model)
    done = with_a_deadly_photo("predict", *arguments)
    assert done.returncode == 3
    assert done.stderr == f"Failed: photos/male/077.jpg: {KILLED}\n"
    lines = done.stdout.splitlines()
    assert len(lines) == 150
    assert sum('"error": null' in line for line in lines) == 149


def test_a_decoder_that_crashes_costs_prepare_one_photo(with_a_deadly_photo, in_tmp):
    done = with_a_deadly_photo("prepare", "photos", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert len((in_tmp / "faces.csv").read_text().splitlines()) == 150
    rejected = (in_tmp / "faces.rejected.csv").read_text().splitlines()[1:]
    assert len(rejected) == 1
    assert rejected[0].startswith("photos/male/077.jpg,unreadable,")


def test_alone_it_ends_the_process_by_its_signal(with_a_deadly_photo, toy_model):
    """One process reads a few photos: a crash is the process's end, and no answer is made up."""
    arguments = ("photos/male/077.jpg", "--jsonl", "-q", "--model", toy_model)
    done = with_a_deadly_photo("predict", *arguments)
    assert done.returncode == -signal.SIGSEGV
    assert done.stdout == ""


def test_a_worker_killed_for_memory_is_not_blamed_on_its_photo(in_tmp, toy_model):
    """Killed once, as a machine short of memory does; the second time all goes well."""
    code = CRASH.replace(
        'data.endswith(b"deadly")',
        'data.endswith(b"deadly") and not os.path.exists("once") and not open("once", "x").close()',
    )
    for i in range(80):
        (in_tmp / f"{i:03}.jpg").write_bytes(encoded(pattern(0, i)) + b"deadly" * (i == 50))
    options = (".", "--jsonl", "-q", "--workers", "2", "--model", toy_model)
    done = run_with(code, in_tmp, "predict", *options)
    assert os.path.exists("once")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 80
