"""Choosing the final weights: best or last epoch, averaged with the initial weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from facegender.models.inference import KerasNetwork, run_network
from facegender.training.calibration import fit_temperature, with_temperature
from facegender.training.fit import ValidationSet, loss_and_accuracy

SHARES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of the initial weights that are tried."""
EQUAL: Final = 1e-5
"""Losses that differ by less are equal up to rounding."""


def average_weights(
    model: Any,
    start: Sequence[np.ndarray],
    validation: ValidationSet,
    share: float | None = None,
) -> float:
    """Average a trained model with its initial weights if that lowers the validation log loss.

    This recovers what the network learned before and the new photos do not show. Source:
    Wortsman et al., "Robust fine-tuning of zero-shot models", 2022.

    Args:
        model: the trained model; changed in place.
        start: initial weights in the order of the model's.
        validation: crops for the loss, which is computed after calibration.
        share: of the initial weights; None means the one of `SHARES` with the lowest loss.

    Returns:
        the share of the initial weights.
    """
    trained = model.get_weights()
    if share is None:
        losses = []
        for tried in SHARES:
            model.set_weights(_mixed(start, trained, tried))
            losses.append(calibrated_loss(model, validation))
        # Of equal losses, as when all photos are correct, take the smallest change.
        share = next(s for s, x in zip(SHARES, losses, strict=True) if x <= min(losses) + EQUAL)
    model.set_weights(_mixed(start, trained, share))
    return share


def keep_better(model: Any, ended: Sequence[np.ndarray], validation: ValidationSet) -> bool:
    """Keep the weights of the best or the last epoch, by log loss after calibration.

    Late epochs are overconfident, which increases their loss although they are more accurate;
    calibration removes the overconfidence.

    Args:
        model: with the weights of the epoch with the lowest loss; changed in place.
        ended: weights of the last epoch.
        validation: crops for the loss.

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
