"""Which labels are less certain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.dataset.table import read_table
from facegender.errors import UsageError
from facegender.training.doubt import MAX_SHARE, parse_doubt, read_doubts

WORD = st.text(st.characters(codec="ascii", exclude_characters=":,="), min_size=1).map(
    lambda text: text.strip() or "x"
)


@given(WORD, st.dictionaries(WORD, st.floats(0, MAX_SHARE), min_size=1, max_size=5))
def test_what_is_written_is_read(column: str, shares: dict[str, float]) -> None:
    text = f"{column}:" + ",".join(f"{value}={share!r}" for value, share in shares.items())
    doubt = parse_doubt(text)
    assert (doubt.column, doubt.shares) == (column, shares)


@pytest.mark.parametrize(
    "text",
    ["", "age", "age:", ":a=.5", "age:a", "age:=.5", "age:a=b", "age:a=-1", "age:a=1", "age:a=nan",
     "age:a=.1,", "age:a=.1,a=.2"],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="--doubt") as error:
        parse_doubt(text)
    assert "age:0-2=.5,3-9=.2" in str(error.value.hint)


def test_rows_have_the_share_of_their_value(toy_csv: Path) -> None:
    samples = read_table(toy_csv)
    samples.attributes["age"] = [("0-2", " 3-9 ", "", "20-29")[i % 4] for i in range(len(samples))]
    doubts = read_doubts(samples, "age:0-2=.5,3-9=.2")
    assert doubts.dtype == np.float32
    np.testing.assert_allclose(doubts[:4], [0.5, 0.2, 0, 0])
    for wrong, said in {"race:x=.1": "no column", "age:40-49=.1": "no photo"}.items():
        with pytest.raises(UsageError, match=said):
            read_doubts(samples, wrong)
