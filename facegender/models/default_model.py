"""Choosing the model that predicts if none is given."""

from __future__ import annotations

import os
from pathlib import Path

from facegender.errors import BundleError
from facegender.models.bundle import LAST, MANIFEST, load_manifest

BUNDLED = Path(__file__).parent / "default"
ENVIRONMENT = "FACEGENDER_MODEL"
USUAL = Path("gender_model")
UNFINISHED = "bundled, since ./gender_model holds a training that did not end"


def choose_model(model: str | os.PathLike[str] | None = None) -> tuple[Path, str]:
    """Return the model folder to use and where the choice comes from.

    The order is: `model`, ``$FACEGENDER_MODEL``, ``./gender_model`` if it holds one, the bundled.
    Where ``./gender_model`` holds an unfinished training, the choice says so.

    Raises:
        BundleError: none of them exists, or the variable names no model.
    """
    if model is not None:
        return Path(model), "given"
    if os.environ.get(ENVIRONMENT):
        return _from_environment(Path(os.environ[ENVIRONMENT])), f"${ENVIRONMENT}"
    if (USUAL / MANIFEST).exists():
        return USUAL, "in this folder"
    if (BUNDLED / MANIFEST).exists():
        return BUNDLED, UNFINISHED if (USUAL / LAST).exists() else "bundled"
    raise BundleError(
        "there is no model: none given, none in ./gender_model, none bundled",
        "Train one with: facegender train",
    )


def _from_environment(folder: Path) -> Path:
    """Name the variable where what it names is no model: nobody typed that folder."""
    try:
        load_manifest(folder)
    except BundleError as error:
        raise BundleError(f"{error.message} (${ENVIRONMENT} names it)", error.hint) from None
    return folder
