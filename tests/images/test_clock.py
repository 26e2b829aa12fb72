import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegender.errors import UsageError
from facegender.images.clock import clock, parse_clock


def test_moments_are_written_with_hours_and_thousandths():
    assert clock(3723.4504) == "1:02:03.450"
    assert clock(59.9996) == "0:01:00.000"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90.5", 90.5), ("1:30", 90.0), ("1:02:03.45", 3723.45), ("0:00", 0.0)]
)
def test_moments_are_read(text, seconds):
    assert parse_clock(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:2:3:4", "ten", "1e3", "nan", "1:-2"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(UsageError, match="malformed time"):
        parse_clock(text)


@given(st.floats(0, 1e6))
def test_a_moment_is_read_as_it_was_written(seconds):
    assert parse_clock(clock(seconds)) == pytest.approx(seconds, abs=5.1e-4)
