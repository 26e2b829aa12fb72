"""Screen time: for how many seconds women and men are seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScreenTime:
    """Seconds of faces: two women who are seen together for a second count two.

    Attributes:
        female, male: of faces perceived so, and not uncertain.
        uncertain: of faces whose probability is below the threshold.
    """

    female: float = 0.0
    male: float = 0.0
    uncertain: float = 0.0

    @classmethod
    def of(cls, tracks: Iterable[tuple[str, bool, float]]) -> ScreenTime:
        """Sum tracks, each given as (label's name, uncertain, seconds)."""
        sums = {"female": 0.0, "male": 0.0, "uncertain": 0.0}
        for name, uncertain, seconds in tracks:
            sums["uncertain" if uncertain else name] += seconds
        return cls(**sums)

    def __add__(self, other: ScreenTime) -> ScreenTime:
        return ScreenTime(
            self.female + other.female,
            self.male + other.male,
            self.uncertain + other.uncertain,
        )

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.female + self.male + self.uncertain

    @property
    def share_female(self) -> float | None:
        """Women's share of the time that is not uncertain, 0 to 1; None if there is none."""
        sure = self.female + self.male
        return self.female / sure if sure else None

    def to_json(self) -> dict[str, float]:
        """Return the form of the JSON contract."""
        return {
            "female": round(self.female, 3),
            "male": round(self.male, 3),
            "uncertain": round(self.uncertain, 3),
        }
