import numpy as np
import pytest

from facegender.errors import FaceGenderError
from facegender.exporting.agreement import Tolerances, agree, choose_limits
from facegender.exporting.samples import Sample

CROPS = Sample(np.zeros((100, 4, 4, 3), np.uint8), photos=100)


def answers(p_male):
    return np.stack([1 - np.asarray(p_male), p_male], axis=1).astype(np.float32)


def changed(number, difference):
    """Answers of 0.5 + difference / 2, and others of which so many lie below one half."""
    ours = np.full(100, 0.5 + difference / 2)
    theirs = ours.copy()
    theirs[:number] -= difference
    return answers(ours), answers(theirs)


def test_limits_hold_on_both_counts():
    int8 = choose_limits(True, None, None)
    agree(CROPS, *changed(3, 0.1), int8).check()
    with pytest.raises(FaceGenderError, match="answers that change are 4"):
        agree(CROPS, *changed(4, 0.1), int8).check()
    with pytest.raises(FaceGenderError, match=r"up to 0\.4"):
        agree(CROPS, *changed(1, 0.4), int8).check()
    agree(CROPS, *changed(1, 0.4), choose_limits(True, 0.5, None)).check()
    agree(CROPS, *changed(50, 0.1), choose_limits(True, None, 0.5)).check()


def test_float_formats_must_agree():
    agree(CROPS, *changed(100, 0.0005), Tolerances()).check()
    with pytest.raises(FaceGenderError):
        agree(CROPS, *changed(1, 0.004), Tolerances()).check()


def test_nan_never_agrees():
    ours, theirs = changed(0, 0.1)
    theirs[7] = np.nan
    for limits in (Tolerances(), Tolerances(1, 1)):
        with pytest.raises(FaceGenderError):
            agree(CROPS, ours, theirs, limits).check()


def test_one_flip_of_few_crops_is_allowed_where_any_is():
    assert Tolerances(0.2, 0.03).allowed_flips(10) == 1
    assert Tolerances(0.2, 0.03).allowed_flips(200) == 6
    assert Tolerances(0.2, 0.0).allowed_flips(200) == 0


def test_mean_and_largest_are_those_of_the_probabilities():
    found = agree(CROPS, *changed(10, 0.1), Tolerances(1, 1)).to_json()
    assert found["largest_difference"] == pytest.approx(0.1)
    assert found["mean_difference"] == pytest.approx(0.01)
    assert found["flips"] == 10
    assert found["on"] == "faces"
