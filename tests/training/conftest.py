"""A short training that all tests of training look at."""

import pytest

from facegender.training.train import train
from tests.training.runs import QUICK


@pytest.fixture(scope="session")
def quick(toy_csv, make_once):
    """The model of a run that was never stopped; nobody may change it, or train there."""
    return make_once("quick", lambda folder: train(toy_csv, folder / "m", QUICK, workers=1)) / "m"
