import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.dataset.samples import Samples
from facegender.dataset.where import merge_spellings, parse_condition
from facegender.errors import UsageError
from facegender.evaluation.grouping import group_values


def samples(**columns):
    count = len(next(iter(columns.values())))
    found = Samples(
        [f"{i}.jpg" for i in range(count)],
        np.arange(count, dtype=np.int8) % 2,
        [""] * count,
        ["test"] * count,
    )
    found.attributes.update({name: list(cells) for name, cells in columns.items()})
    return found


def test_spellings_are_one_group_and_missing_values_another():
    cells = ["Black", " Black", "black", "White", "nan", "N/A", "-", "", "WHITE "]
    assert merge_spellings(cells) == [*["Black"] * 3, "White", *[""] * 4, "White"]


@given(st.lists(st.text(max_size=5)))
def test_merging_is_idempotent_and_keeps_the_rows_apart_or_together(cells):
    once = merge_spellings(cells)
    assert merge_spellings(once) == once
    assert len(once) == len(cells)


def test_columns_are_crossed():
    name, values = group_values(samples(race=["A", "B"], age=["1", "2"]), "RACE, age")
    assert (name, values) == ("race,age", ["A, 1", "B, 2"])


@pytest.mark.parametrize(
    ("binning", "expected"),
    [
        ("10", ["0-9", "20-29", "20-29", "", "70-79"]),
        ("0.5", ["3.5 to 4", "20 to 20.5", "29.5 to 30", "", "70 to 70.5"]),
    ],
)
def test_numbers_are_binned_by_width(binning, expected):
    cells = ["3.7", "20", "29.9", "n/a", "70"]
    name, values = group_values(samples(age=cells), f"age:{binning}")
    assert (name, values) == (f"age:{binning}", expected)


def test_quartiles_are_of_about_equal_size():
    _, values = group_values(samples(score=[str(i) for i in range(100)]), "score:quartiles")
    assert (
        sorted(map(values.count, set(values))) == [25, 25, 25, 25]
        or max(map(values.count, set(values))) <= 26
    )


@pytest.mark.parametrize("name", ["age:0", "age:-5", "age:wide", "word:10"])
def test_bins_that_cannot_be_are_refused(name):
    with pytest.raises(UsageError):
        group_values(samples(age=["1", "2"], word=["x", "y"]), name)


def test_hundreds_of_numbers_are_refused_with_the_way_to_bin_them():
    with pytest.raises(UsageError, match="312 different numbers") as caught:
        group_values(samples(age=[str(i % 312) for i in range(900)]), "age")
    assert "--by age:10" in caught.value.hint
    few = [str(i % 20) for i in range(900)]
    assert group_values(samples(age=few), "age")[1] == few


def test_a_column_with_a_colon_in_its_name_is_itself():
    name, values = group_values(samples(**{"a:10": ["x", "y"]}), "a:10")
    assert (name, values) == ("a:10", ["x", "y"])


def test_conditions_take_any_spelling():
    found = samples(race=["Black", " black", "White"])
    assert parse_condition("race=BLACK").rows(found).tolist() == [True, True, False]
