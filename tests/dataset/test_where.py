import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.dataset.samples import Samples
from facegender.dataset.where import column_name, column_of, parse_condition
from facegender.errors import UsageError

SAMPLES = Samples(
    ["a", "b", "c"],
    np.array([0, 1, 1], np.int8),
    ["x", "", "y"],
    ["test"] * 3,
    {"age": ["0-2", "20-29", "more than 70"]},
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("age in 0-2", [1, 0, 0]),
        ("age not in 0-2,20-29", [0, 0, 1]),
        ("age=more than 70", [0, 0, 1]),
        ("age == 0-2", [1, 0, 0]),
        ("age != 0-2", [0, 1, 1]),
        ("gender=male", [0, 1, 1]),
        ("person in x, y", [1, 0, 1]),
    ],
)
def test_conditions(text, rows):
    assert parse_condition(text).rows(SAMPLES).tolist() == [bool(r) for r in rows]


@pytest.mark.parametrize("text", ["", "age", "age in", "age in 0-2,", "in 3", "age > 3", "=x"])
def test_other_texts_are_refused(text):
    with pytest.raises(UsageError):
        parse_condition(text)


def test_unknown_columns_and_values_say_what_there_is():
    with pytest.raises(UsageError, match="no column 'race'") as caught:
        column_of(SAMPLES, "race")
    assert "age" in caught.value.hint
    with pytest.raises(UsageError, match="no row has age 3-9") as caught:
        parse_condition("age in 3-9").rows(SAMPLES)
    assert "more than 70" in caught.value.hint


def test_upper_and_lower_case_count_only_where_columns_differ_by_them():
    assert column_name(SAMPLES, "AGE") == "age"
    assert column_of(SAMPLES, "Gender") == ["female", "male", "male"]
    assert parse_condition("Age in 0-2").rows(SAMPLES).tolist() == [True, False, False]
    with pytest.raises(UsageError, match="no row has age 3"):
        parse_condition("AGE=3").rows(SAMPLES)
    both = SAMPLES.take([0, 1])
    both.attributes["Age"] = ["young", "old"]
    assert column_of(both, "Age") == ["young", "old"]
    assert column_of(both, "age") == ["0-2", "20-29"]
    with pytest.raises(UsageError, match="may be age or Age"):
        column_of(both, "AGE")


WORD = st.text("abcxyz0123456789-_", min_size=1, max_size=8).filter(
    lambda w: w not in ("in", "not")
)


@given(WORD, st.lists(WORD, min_size=1, max_size=4), st.booleans())
def test_any_column_and_values_are_parsed(column, values, wanted):
    word = "in" if wanted else "not in"
    condition = parse_condition(f"{column} {word} {', '.join(values)}")
    assert (condition.column, condition.values, condition.wanted) == (column, tuple(values), wanted)
