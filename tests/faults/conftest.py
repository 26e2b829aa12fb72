"""The bundled model is there already, and any model will do."""

from pathlib import Path

import pytest

from facegender.choice import BUNDLED


@pytest.fixture(scope="session")
def model() -> Path:
    return BUNDLED
