from types import SimpleNamespace

import numpy as np
import pytest

from facegender.runtime.signals import StopRequest
from facegender.training.swapped import MIN_PHOTOS, warn_of_swapped_start


def warnings_at(right, *, photos=120, epoch=0):
    """What is said of a start that answers so large a share of the photos right."""
    labels = np.tile(np.array([0, 1], np.int8), photos)
    rows = np.arange(0, 2 * photos, 2) + np.arange(photos) % 2  # every label as often
    crops = np.zeros((2 * photos, 4, 4, 3), np.uint8)
    crops[:, 0, 0, 0] = labels  # the network sees the label

    def network(batch):
        answers = batch[:, 0, 0, 0].astype(int)
        wrong = np.arange(len(answers)) >= right * len(answers)
        return np.eye(2, dtype=np.float32)[answers ^ wrong]

    said = []
    batches = SimpleNamespace(rows=rows, crops=crops, labels=labels)
    state = SimpleNamespace(epoch=epoch, step=0)
    found = warn_of_swapped_start(network, batches, state, StopRequest(), said.append)
    assert found == bool(said)
    return [event.message for event in said]


def test_a_start_that_contradicts_the_labels_is_named_before_the_first_step():
    (message,) = warnings_at(0.05)
    assert "by the model that training starts from" in message
    assert "--female 1 --male 0" in message


@pytest.mark.parametrize(
    ("right", "more"), [(0.95, {}), (0.5, {}), (0.05, {"epoch": 1}), (0.05, {"photos": MIN_PHOTOS})]
)
def test_other_starts_are_not(right, more):
    assert warnings_at(right, **more) == []
