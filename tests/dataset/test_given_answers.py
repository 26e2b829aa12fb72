"""Answers that were given before: by another tool, a model, or people."""

from __future__ import annotations

import numpy as np
import pytest

from facegender.dataset.given_answers import read_given_answers
from facegender.dataset.samples import Samples
from facegender.errors import DataError


def samples(paths):
    count = len(paths)
    return Samples(paths, np.zeros(count, np.int8), [""] * count, ["test"] * count)


def test_answers_are_read_by_path(in_tmp):
    (in_tmp / "sub").mkdir()
    (in_tmp / "sub/other.csv").write_text(
        f"path,p_male,note\na.jpg,0.25,x\n{in_tmp}/b.jpg,,\n../c.jpg,1,\n"
    )
    found = read_given_answers(
        in_tmp / "sub/other.csv", samples(["sub/a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    )
    np.testing.assert_array_equal(found.p_male, [0.25, np.nan, 1, np.nan])
    assert found.listed.tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,male\na.jpg,1\n", "columns"),
        ("path,p_male\na.jpg,1.5\n", "p_male '1.5'"),
        ("path,p_male\na.jpg,high\n", "p_male 'high'"),
        ("path,p_male\na.jpg,nan\n", "p_male 'nan'"),
        ("path,p_male\nz.jpg,0.5\n", "none of the table's photos"),
        ("", "columns"),
    ],
)
def test_unusable_answers_are_refused(in_tmp, text, words):
    (in_tmp / "other.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_given_answers(in_tmp / "other.csv", samples(["a.jpg"]))
    with pytest.raises(DataError, match="cannot read"):
        read_given_answers(in_tmp / "nothing.csv", samples(["a.jpg"]))
