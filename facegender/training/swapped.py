"""Labels the wrong way round: a network that answers nearly everything wrong shows them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facegender.errors import Interrupted
from facegender.labels import LABELS
from facegender.models.inference import Probabilities, run_network
from facegender.runtime.signals import StopRequest
from facegender.training.batches import Batches
from facegender.training.events import OnEvent, Warn
from facegender.training.state import State

RECALL: Final = 0.3
"""Recall of both genders up to which the labels are probably the wrong way round."""
MIN_PHOTOS: Final = 30
"""Photos of each gender without which the recalls say nothing."""
SAMPLE: Final = 256
"""About so many training photos the model that training starts from answers."""


def warn_of_swapped(
    probabilities: Probabilities,
    labels: NDArray[np.int8],
    on_event: OnEvent,
    *,
    what: str = "of the validation photos",
) -> bool:
    """Warn, and return True, where most answers are the labels the wrong way round."""
    counts = np.bincount(labels, minlength=len(LABELS))
    if counts.min() < MIN_PHOTOS:
        return False
    right = probabilities.argmax(axis=1) == labels
    recalls = [right[labels == label].mean() for label in range(len(LABELS))]
    if max(recalls) > RECALL:
        return False
    on_event(
        Warn(
            f"only {right.mean():.1%} {what} are answered right, far below one "
            "half: the labels are probably the wrong way round (0 is female and 1 is male here; "
            "UTKFace, for one, has 0 = male). Tell prepare what the labels mean: --female 1 "
            "--male 0"
        )
    )
    return True


def warn_of_swapped_start(
    network: Any, batches: Batches, state: State, stop: StopRequest, on_event: OnEvent
) -> bool:
    """Warn before the first step where the model that training starts from contradicts the labels.

    Afterwards it is too late: trained long enough, the network answers as it was taught, and its
    validation, with labels the wrong way round as well, looks fine.
    """
    if state.epoch or state.step:
        return False
    every = max(1, len(batches.rows) // SAMPLE)
    rows = batches.rows[::every]
    try:
        with stop.raising():
            answers = run_network(network, batches.crops[rows])
    except Interrupted:
        return False
    what = "of the training photos, by the model that training starts from,"
    return warn_of_swapped(answers, batches.labels[rows], on_event, what=what)
