"""Which weights to keep: of the best epoch or the last, and what of those training began with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from facegender.models.inference import KerasNetwork, run_network
from facegender.training.calibration import fit_temperature, with_temperature
from facegender.training.fit import ValidationSet, loss_and_accuracy

SHARES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of the start's weights that are tried."""
EQUAL: Final = 1e-5
"""Losses this close differ by the rounding of answers and temperatures only."""


def average_weights(
    model: Any,
    start: Sequence[np.ndarray],
    validation: ValidationSet,
    share: float | None = None,
) -> float:
    """Mix the start's weights into a trained model where that lowers the validation log loss.

    What a network learned before, and the new photos do not show, comes back that way. Source:
    Wortsman et al., "Robust fine-tuning of zero-shot models", 2022.

    Args:
        model: as training left it; changed in place.
        start: weights in the order of the model's.
        validation: the losses, after calibration, decide.
        share: of the start's weights; None means that of `SHARES` with the least loss.

    Returns:
        the share of the start's weights.
    """
    trained = model.get_weights()
    if share is None:
        losses = []
        for tried in SHARES:
            model.set_weights(_mixed(start, trained, tried))
            losses.append(calibrated_loss(model, validation))
        # Of equal ones, as where all photos are right, the one that changes least.
        share = next(s for s, x in zip(SHARES, losses, strict=True) if x <= min(losses) + EQUAL)
    model.set_weights(_mixed(start, trained, share))
    return share


def keep_better(model: Any, ended: Sequence[np.ndarray], validation: ValidationSet) -> bool:
    """Keep the better of a model's weights and of others, by log loss after calibration.

    Late epochs are surer of themselves, which costs the loss of an epoch more than they gain by
    being right; the temperature takes that away again.

    Args:
        model: with the weights of the epoch of least loss; changed in place.
        ended: those of the last epoch.
        validation: decides.

    Returns:
        whether the model has the weights of the last epoch now.
    """
    best, loss = model.get_weights(), calibrated_loss(model, validation)
    model.set_weights(ended)
    if calibrated_loss(model, validation) < loss - EQUAL:
        return True
    model.set_weights(best)
    return False


def calibrated_loss(model: Any, validation: ValidationSet) -> float:
    """Return the validation log loss after calibration."""
    answers = run_network(KerasNetwork(model), validation.crops)
    calibrated = with_temperature(answers, fit_temperature(answers, validation.labels))
    return loss_and_accuracy(calibrated, validation.labels)[0]


def _mixed(
    start: Sequence[np.ndarray], trained: Sequence[np.ndarray], share: float
) -> list[np.ndarray]:
    return [share * a + (1 - share) * b for a, b in zip(start, trained, strict=True)]
