"""Damaged videos end in an answer or a reason; `fuzz_videos` looks at many more."""

import sys

import pytest

pytest.importorskip("av")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches a process by /proc")


def test_damaged_videos_are_read_or_refused():
    from tests.faults.fuzz_videos import fuzz

    outcome = fuzz(range(120), seconds=60)
    assert not any(outcome.faults.values()), outcome.faults
    assert sum(tally.decoded for tally in outcome.tallies.values()) > 20
    assert sum(tally.refused.total() for tally in outcome.tallies.values()) > 20
    assert max(tally.largest[0] for tally in outcome.tallies.values()) < 1 << 30
