"""What `predict` says of its answers when it is stopped."""

from pathlib import Path

import pytest

from facegender.cli._destination import Destination
from facegender.cli._summary import Summary
from facegender.errors import Interrupted
from facegender.prediction.tally import Tally


def stopped(file, form):
    """What is said of two answers."""
    goal = Destination(file, form, *[None] * 3, False, *[None] * 4, resume=False, force=False)
    totals = Summary()
    totals.add("a.jpg", Tally(2))
    with pytest.raises(Interrupted) as caught, goal.naming_what_is_kept(totals):
        raise Interrupted("stopped; what was written before is whole", "", 15)
    assert caught.value.signal_number == 15
    return f"{caught.value.message}. {caught.value.hint}"


def test_json_on_stdout_is_said_to_be_cut():
    words = stopped(None, "json")
    assert "whole" not in words.split(".")[0]
    assert "the JSON on stdout is incomplete" in words
    assert "--jsonl" in words and "--resume" in words


@pytest.mark.parametrize(
    ("file", "form"), [(None, "jsonl"), (None, "csv"), (None, "table"), ("a.json", "json")]
)
def test_what_was_written_in_other_forms_is_whole(file, form):
    assert "is whole" in stopped(file and Path(file), form)


def test_answers_in_a_file_that_grows_are_counted():
    assert "2 answers are in a.csv" in stopped(Path("a.csv"), "csv")
