"""What all tests of faults share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from facegender.models.default_model import BUNDLED
from tests.faults.kills import end_started


@pytest.fixture(scope="session")
def model() -> Path:
    """The bundled model is there already, and any model will do."""
    return BUNDLED


@pytest.fixture(autouse=True)
def nothing_runs_on() -> Iterator[None]:
    """End what a test started and did not end, should it have failed."""
    yield
    end_started()
