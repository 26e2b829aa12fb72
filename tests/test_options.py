"""Checks of options: what passes, and what the refusals say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.choices import CropKind
from facegender.errors import UsageError
from facegender.options import (
    check_choice,
    check_number,
    check_output_file,
    check_output_folder,
    check_workers,
)


def test_a_word_is_one_of_those_known():
    for word in (None, "box", CropKind.BOX):
        check_choice("--crop-kind", word, CropKind)
    with pytest.raises(UsageError, match="unknown --crop-kind 'Box'") as caught:
        check_choice("--crop-kind", "Box", CropKind)
    assert caught.value.hint == "Choose one of box, eyes, photo."


@given(st.floats(), st.floats(-10, 10), st.floats(0, 10))
def test_a_number_in_range_passes_and_no_other(value, low, width):
    high = low + width
    if low <= value <= high:
        check_number("--x", value, low, high)
    else:
        with pytest.raises(UsageError, match="--x is"):
            check_number("--x", value, low, high)


def test_a_range_without_an_upper_end():
    check_number("--x", None, 1)
    check_number("--x", 10**9, 1)
    for value in (0, math.inf, math.nan):
        with pytest.raises(UsageError) as caught:
            check_number("--x", value, 1, what="pixel")
        assert caught.value.hint == "It must be 1 pixel or more."
    with pytest.raises(UsageError, match="--workers is 0"):
        check_workers(0)


def test_places_for_files(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("new.csv", "file"):
        check_output_file("--output", tmp_path / place)
    for place in (".", "none/new.csv", "file/new.csv"):
        with pytest.raises(UsageError, match="--output"):
            check_output_file("--output", tmp_path / place)
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_places_for_folders(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (".", "new", "new/deeper"):
        check_output_folder("--crops", tmp_path / place)
    for place in ("file", "file/deeper"):
        with pytest.raises(UsageError, match="is not a folder"):
            check_output_folder("--crops", tmp_path / place)
    check_output_folder("--output", tmp_path / "new", parents=False)
    for place in ("new/deeper", "file/deeper", "file"):
        with pytest.raises(UsageError):
            check_output_folder("--output", tmp_path / place, parents=False)
    with pytest.raises(UsageError, match="is empty"):
        check_output_folder("--crops", "")
    assert {path.name for path in tmp_path.iterdir()} == {"file"}
