"""Short trainings of a small network, and what they leave: shared by the tests of training."""

import csv

import numpy as np
import pytest

from facegender.errors import Interrupted
from facegender.models.bundle import load_bundle
from facegender.runtime.signals import StopRequest
from facegender.training.events import Step
from facegender.training.settings import TrainSettings
from facegender.training.train import train
from tests.tiny_network import TINY

QUICK = TrainSettings(arch=TINY, crop="photo", init="none", epochs=3, batch_size=16, seed=3)


def weights(folder):
    return load_bundle(folder).load_keras().get_weights()


def assert_equal(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def history(folder):
    with load_bundle(folder).files["history.csv"].open() as file:
        return list(csv.DictReader(file))


class StopAt:
    """Asks for a stop after a number of steps."""

    def __init__(self, steps):
        self.stop, self.left = StopRequest(), steps

    def __call__(self, event):
        if isinstance(event, Step):
            self.left -= 1
            if self.left == 0:
                self.stop.signal_number = 15


def stop_at(steps, table, out, settings):
    listener = StopAt(steps)
    with pytest.raises(Interrupted):
        train(table, out, settings, workers=1, stop=listener.stop, on_event=listener)
