"""Estimate the perceived gender of faces in photos, and train and evaluate such a classifier.

Public names are loaded on first use; importing the package is fast and never imports TensorFlow.
"""

from __future__ import annotations

from facegender._version import __version__

TYPE_CHECKING = False  # as type checkers know it; `typing` takes longer than all the rest here
if TYPE_CHECKING:
    from facegender.dataset.prepare import prepare
    from facegender.dataset.settings import PrepareSettings
    from facegender.errors import FaceGenderError
    from facegender.evaluation.evaluate import evaluate
    from facegender.exporting.export import export
    from facegender.labels import LABELS
    from facegender.prediction.predictor import FacePrediction, Prediction, Predictor
    from facegender.training.settings import TrainSettings
    from facegender.training.train import train

__all__ = [
    "LABELS",
    "FaceGenderError",
    "FacePrediction",
    "Prediction",
    "Predictor",
    "PrepareSettings",
    "TrainSettings",
    "__version__",
    "evaluate",
    "export",
    "prepare",
    "train",
]

_HOMES = {
    "LABELS": "labels",
    "FaceGenderError": "errors",
    "FacePrediction": "prediction.predictor",
    "Prediction": "prediction.predictor",
    "Predictor": "prediction.predictor",
    "PrepareSettings": "dataset.settings",
    "TrainSettings": "training.settings",
    "evaluate": "evaluation.evaluate",
    "export": "exporting.export",
    "prepare": "dataset.prepare",
    "train": "training.train",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'facegender' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"facegender.{_HOMES[name]}"), name)
