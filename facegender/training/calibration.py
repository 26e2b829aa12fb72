"""Temperature scaling (Guo et al., "On calibration of modern neural networks", 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegender.models.inference import Probabilities

LIMITS = (0.05, 20.0)


def fit_temperature(probabilities: Probabilities, labels: NDArray[np.int8]) -> float:
    """Return the temperature with the lowest log loss; above 1 the network was overconfident.

    For each gender, one correct and one wrong photo are added to the n photos. Otherwise few photos
    that are all correct would give a temperature of 0, and every probability would become 1.
    Source: Platt, "Probabilistic outputs for support vector machines", 1999.

    Args:
        probabilities: float32 (n, 2) of held-out photos, never of test photos.
        labels: int8 (n,).
    """
    from scipy.optimize import minimize_scalar

    signed = _margins(probabilities) * np.where(labels == 1, 1.0, -1.0)
    counts = np.bincount(labels, minlength=2)
    right = ((counts + 1) / (counts + 2))[labels]

    def loss(log_temperature: float) -> float:
        scaled = signed / np.exp(log_temperature)
        surprise = np.logaddexp(0.0, -scaled), np.logaddexp(0.0, scaled)
        return float((right * surprise[0] + (1 - right) * surprise[1]).mean())

    low, high = np.log(LIMITS)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def with_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Return the probabilities at a temperature, float32 (n, 2)."""
    male = np.exp(-np.logaddexp(0.0, -_margins(probabilities) / temperature))  # never overflows
    return np.stack([1 - male, male], axis=1).astype(np.float32)


def _margins(probabilities: Probabilities) -> NDArray[np.float64]:
    """Return the differences of the logits of male and female."""
    logs = np.log(np.clip(probabilities.astype(np.float64), 1e-37, 1.0))
    return np.asarray(logs[:, 1] - logs[:, 0])


def fold_temperature(model: Any, temperature: float) -> None:
    """Divide the ``logits`` layer by the temperature, so that every export is calibrated."""
    layer = model.get_layer("logits")
    layer.set_weights([weights / temperature for weights in layer.get_weights()])
