"""Comparing an export with the model that it was made from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from facegender.errors import FaceGenderError, UsageError
from facegender.exporting.samples import Sample
from facegender.models.inference import TOLERANCE, Probabilities, compare
from facegender.options import check_number

MAX_DIFFERENCE: Final = 0.3
MAX_FLIPS: Final = 0.03
"""Default limits for int8: the maximum difference in probability, and the maximum share of crops
whose answer may change. The bundled model has 0.09 and 1 of 200."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Limits beyond which an export is refused.

    Attributes:
        difference: maximum difference in probability.
        flips: maximum share of crops whose label changes.
    """

    difference: float = TOLERANCE
    flips: float = 0.0

    def allowed_flips(self, crops: int) -> int:
        """Return the flips allowed among `crops` crops: at least one, unless `flips` is 0."""
        return max(1, math.floor(self.flips * crops)) if self.flips else 0


def choose_limits(int8: bool, difference: float | None, flips: float | None) -> Tolerances:
    """Return the limits asked for, or the defaults.

    Raises:
        UsageError: limits for float32, which are fixed, or numbers out of range.
    """
    if not int8:
        if difference is not None or flips is not None:
            raise UsageError(
                "--max-difference and --max-flips are for --int8: the other formats must agree",
                "Leave them out.",
            )
        return Tolerances()
    check_number("--max-difference", difference, 0, 1)
    check_number("--max-flips", flips, 0, 1)
    return Tolerances(
        MAX_DIFFERENCE if difference is None else difference,
        MAX_FLIPS if flips is None else flips,
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """The predictions of an export compared with the Keras model's for the same crops.

    Attributes:
        sample: the crops and where they come from.
        largest, mean: largest and mean difference in probability.
        flips: crops whose label changes, except those within rounding of one half.
        limits: the limits applied.
    """

    sample: Sample
    largest: float
    mean: float
    flips: int
    limits: Tolerances

    @property
    def made(self) -> bool:
        """Whether the crops are synthetic pictures instead of faces."""
        return not self.sample.photos

    @property
    def what(self) -> str:
        """A description of the crops, for messages."""
        number = len(self.sample.crops)
        if self.made:
            return f"{number:,} made pictures"
        return f"{number:,} face{'' if number == 1 else 's'}"

    def check(self) -> None:
        """Check the export against the limits.

        Raises:
            FaceGenderError: it differs too much.
        """
        limits, crops = self.limits, len(self.sample.crops)
        # "not within" instead of "beyond", so that NaN is refused too.
        if self.largest <= limits.difference and self.flips <= limits.allowed_flips(crops):
            return
        raise FaceGenderError(
            f"the export does not agree with its model: on {self.what} its probabilities differ "
            f"by up to {self.largest:.2g} (allowed {limits.difference:g}), and answers that change "
            f"are {self.flips:,} (allowed {limits.allowed_flips(crops):,}). Nothing was written",
            "Calibrate with more photos like those it will see, leave out --int8, or raise "
            "--max-difference and --max-flips."
            if limits.flips or limits.difference > TOLERANCE
            else "Update tensorflow and the format's packages, or choose another format.",
        )

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in export.json."""
        sample = self.sample
        return {
            "with": "model.keras, run by TensorFlow",
            "on": "made pictures" if self.made else "faces",
            "crops": len(sample.crops),
            "photos": {
                "read": sample.photos,
                "no_face": sample.no_face,
                "unreadable": sample.unreadable,
            },
            "largest_difference": self.largest,
            "mean_difference": self.mean,
            "flips": self.flips,
            "limits": {
                "largest_difference": self.limits.difference,
                "flips": self.limits.allowed_flips(len(sample.crops)),
            },
        }


def agree(
    sample: Sample, ours: Probabilities, theirs: Probabilities, limits: Tolerances
) -> Agreement:
    """Compare the probabilities of an export with its model's.

    Args:
        sample: the crops.
        ours: probabilities of the Keras model.
        theirs: probabilities of the export, run by its own engine.
        limits: the limits to apply.
    """
    largest, flips = compare(ours, theirs)
    return Agreement(sample, largest, float(np.abs(ours - theirs).mean()), flips, limits)
