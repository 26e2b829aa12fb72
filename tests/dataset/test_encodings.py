from pathlib import Path

import pytest

from facegender.dataset.encodings import UTF8, UTF16, WINDOWS, encoding_of, exists_below

ROWS = "path;label\nmx/jörg_1.jpg;male\nmx/anna_1.jpg;female\n"


@pytest.fixture
def folder(in_tmp):
    (in_tmp / "mx").mkdir()
    for name in ("jörg_1.jpg", "anna_1.jpg"):
        (in_tmp / "mx" / name).write_bytes(b"x")
    return in_tmp


@pytest.mark.parametrize(
    ("written", "expected"),
    [("utf-8", UTF8), ("utf-8-sig", UTF8), ("utf-16", UTF16), ("cp1252", WINDOWS)],
)
def test_each_encoding_is_told(folder, written, expected):
    Path("t.csv").write_bytes(ROWS.encode(written))
    assert encoding_of(Path("t.csv"), exists_below([folder])) == expected


def test_names_of_odd_bytes_are_not_taken_for_windows_text(folder):
    try:
        (Path("mx") / "caf\udce9.jpg").write_bytes(b"x")
    except OSError:
        pytest.skip("no such names here")
    Path("t.csv").write_bytes(b"path,label\nmx/caf\xe9.jpg,male\n")
    assert encoding_of(Path("t.csv"), exists_below([folder])) == UTF8
    Path("t.csv").write_bytes(b"path,label\nmx/lost\xe9.jpg,male\n")
    assert encoding_of(Path("t.csv"), exists_below([folder])) == UTF8
