"""The share of women in an archive, from a model's answers and people's labels of some of them.

Formulas only. The archive is finite and every unit of it (a face, a photo, a track of a video) has
an answer, so that the only thing left to chance is which units were labelled.

Sources:
    Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, "Prediction-powered inference", 2023.
    Angelopoulos, Duchi and Zrnic, "PPI++: Efficient prediction-powered inference", 2023: the
        weight of the predictions is tuned.
    Särndal, Swensson and Wretman, "Model assisted survey sampling", 1992: the same estimator for
        finite populations, with inclusion probabilities, strata, clusters and ratios.
    Franco, Little, Louis and Slud, "Comparative study of confidence intervals for proportions in
        complex sample surveys", 2019: Wilson's interval for the effective number of labels.
    Rogan and Gladen, "Estimating prevalence from the results of a screening test", 1978.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegender.evaluation.intervals import Estimate, Z, effective_units, wilson

Floats = NDArray[np.float64]

PRIOR_LABELS = 1
"""Labels' worth of the archive's spread of errors that is mixed into a group's own. In a group
with few labels the model may have made no error by chance, and the interval would be too short."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Sums over every unit of a population.

    Attributes:
        units: how many.
        size: of their sizes; the share is one of size (1 a face; seconds a track).
        counted: of size times whether the model counts the unit in (0 or 1).
        female: of size times the model's female share of the unit, 0 to 1.
    """

    units: int
    size: float
    counted: float
    female: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labelled units of a population; every array has the shape (n,).

    Attributes:
        female: the unit's female share as people see it, 0 to 1; 0 where it does not count.
        counts: 1 where it belongs to what is counted (its gender can be told), else 0.
        predicted: the female share that the model predicts, 0 to 1.
        predicted_counts: 1 where the model counts the unit in, else 0.
        size: as in `Frame`.
        weight: inverse of the probability of inclusion, up to a factor.
        cluster: number of what was drawn as a whole or errs together (photo, person).
        stratum: number of the part that was sampled by itself.
    """

    female: Floats
    counts: Floats
    predicted: Floats
    predicted_counts: Floats
    size: Floats
    weight: Floats
    cluster: NDArray[np.intp]
    stratum: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.female)

    def take(self, rows: NDArray[np.bool_]) -> Labelled:
        """Return the units that a mask selects."""
        return Labelled(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Missed:
    """What the model did not find in photos whose every face was labelled; arrays (m,).

    Attributes:
        photos: how many the population has.
        female, counts: faces missed in each labelled photo: women, and all that can be told.
        weight, cluster, stratum: as in `Labelled`.
    """

    photos: int
    female: Floats
    counts: Floats
    weight: Floats
    cluster: NDArray[np.intp]
    stratum: NDArray[np.intp]

    def take(self, rows: NDArray[np.bool_], photos: int) -> Missed:
        """Return the photos that a mask selects, of a part with so many photos."""
        names = ("female", "counts", "weight", "cluster", "stratum")
        return Missed(photos, *(getattr(self, name)[rows] for name in names))


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected share.

    Attributes:
        estimate: the share with its interval of 95 %.
        spread: variance of one label's (cluster's) worth; groups borrow it, and plans need it.
        tuning: weight of the predictions, 0 (labels alone) to 1.
        independent: labels drawn singly that know as much as these; see `_Total.independent`.
    """

    estimate: Estimate
    spread: float
    tuning: float
    independent: float


def prediction_powered(
    labels: Labelled,
    frame: Frame,
    *,
    missed: Missed | None = None,
    whole: Corrected | None = None,
    tune: bool = True,
) -> Corrected | None:
    """Return the share of women by PPI++, design-based, with an interval of 95 %.

    The share solves ``mean(size (female - share counts)) = 0``, whose mean over the archive is
    that of the labelled units plus ``tuning`` times how far the predictions' mean over the archive
    is from that over the labelled units. ``tuning`` minimises the variance. The variance is that
    of clusters within strata, with the finite population correction.

    Args:
        labels: the labelled units, two at least.
        frame: the archive's.
        missed: faces that the model did not find, where they are to count too.
        whole: what was found of the whole archive, for a group of it; see `PRIOR_LABELS`.
        tune: False for the labels alone.

    Returns:
        None where no labelled unit counts or all are one cluster.
    """
    total = _Total(labels, frame, missed)
    share = total.share(0.0)
    if share is None or total.clusters < 2:
        return None
    tuning = 0.0
    for _ in range(2 if tune else 0):  # the best tuning depends on the share, a little
        tuning = total.best_tuning(share)
        share = total.share(tuning) or share
    spread = total.spread(share, tuning)
    freedom = max(1.0, total.effective - total.strata - bool(tune))
    label = total.clusters / total.independent  # what one is worth, in clusters as the freedom is
    if whole is not None:
        borrowed = PRIOR_LABELS * label
        spread = (freedom * spread + borrowed * whole.spread) / (freedom + borrowed)
    # Fewer than one wrong answer among all labels is taken for one: none may be chance.
    spread = max(spread, label / (whole.independent if whole else total.independent))
    variance = spread / total.clusters * max(0.0, 1 - len(labels) / max(frame.units, 1))
    estimate = share_interval(share, variance, total.clusters, freedom)
    return Corrected(estimate, spread, tuning, total.independent)


def share_interval(share: float, variance: float, clusters: int, freedom: float) -> Estimate:
    """Return Wilson's interval for as many independent labels as have this variance.

    Args:
        share: the estimate; below 0 or above 1 it is set to the end.
        variance: of the estimate.
        clusters: independent labels behind it: how near to an end a share can be told to be.
        freedom: degrees of freedom of the variance, 1 or more.
    """
    from scipy.special import stdtrit

    share = min(max(share, 0.0), 1.0)
    if variance <= 0:
        return Estimate(share, share, share)
    inside = min(max(share, 0.5 / clusters), 1 - 0.5 / clusters)
    return Estimate(
        share, *wilson(share, inside * (1 - inside) / variance, float(stdtrit(freedom, 0.975)))
    )


def adjusted_count(raw: float, recall_female: float, recall_male: float) -> float | None:
    """Return the share behind a raw count, by Rogan and Gladen; None where recalls say nothing.

    Args:
        raw: share of units called female, 0 to 1.
        recall_female: share of the women called female.
        recall_male: share of the men called male.
    """
    skill = recall_female + recall_male - 1
    if skill <= 0:
        return None
    return min(max((raw + recall_male - 1) / skill, 0.0), 1.0)


Ends = tuple[float, float]


def allowed_range(raw: float, recalls: Iterable[tuple[Ends, Ends]]) -> Ends:
    """Return the smallest and the largest true share that a raw count and recalls allow.

    This is no interval: it assumes that the recalls here lie among those given.

    Args:
        raw: share of units called female, 0 to 1.
        recalls: for each group that was measured, the interval of the recall of women and of men.
    """
    found: list[float] = []
    for women, men in recalls:
        for woman in women:
            for man in men:
                share = adjusted_count(raw, woman, man)
                found += [0.0, 1.0] if share is None else [share]
    return (min(found), max(found)) if found else (0.0, 1.0)


def recalls_of(labels: Labelled) -> tuple[float, float] | None:
    """Return the recalls of women and of men among labelled units; None where one is unknown."""
    called = labels.predicted > 0.5
    women = labels.weight * labels.size * labels.female
    men = labels.weight * labels.size * (labels.counts - labels.female)
    if not women.sum() > 0 or not men.sum() > 0:
        return None
    return float(women[called].sum() / women.sum()), float(men[~called].sum() / men.sum())


def labels_needed(half_width: float, spread: float, units: int) -> int:
    """Return how many randomly drawn labels make an interval of about ± `half_width`.

    Source: Cochran, "Sampling techniques", 1977, with the finite population correction.

    Args:
        half_width: half of the interval's width, above 0.
        spread: variance of one label's worth: `Corrected.spread`, or of a share without help from
            predictions, ``share * (1 - share)``.
        units: in the archive; never more than these are needed.
    """
    wanted = Z**2 * spread / half_width**2
    return math.ceil(round(wanted / (1 + wanted / units), 9)) if units else 0


def difference(first: Estimate, second: Estimate) -> Estimate | None:
    """Return the second share minus the first, both estimated from labels of their own.

    Source: Newcombe, "Interval estimation for the difference between independent proportions",
    1998, method 10.
    """
    ends = (first.value, first.low, first.high, second.value, second.low, second.high)
    if any(end is None for end in ends):
        return None
    a, a_low, a_high, b, b_low, b_high = (float(end) for end in ends if end is not None)
    value = b - a
    down = math.hypot(b - b_low, a_high - a)
    return Estimate(value, value - down, value + math.hypot(b_high - b, a - a_low))


class _Total:
    """An estimating equation, and its residuals summed by cluster."""

    def __init__(self, labels: Labelled, frame: Frame, missed: Missed | None) -> None:
        self._labels, self._frame, self._missed = labels, frame, missed
        self._weight = labels.weight / labels.weight.sum()
        parts, strata = [labels.cluster], [labels.stratum]
        if missed is not None and len(missed.weight):
            self._missed_weight = missed.weight / missed.weight.sum()
            self._missed_weight *= missed.photos / frame.units
            parts.append(missed.cluster)
            strata.append(missed.stratum)
        else:
            self._missed = None
        _, self._cluster = np.unique(np.concatenate(parts), return_inverse=True)
        self.clusters = int(self._cluster.max()) + 1
        self.strata = len(np.unique(np.concatenate(strata)))
        own = np.bincount(self._cluster[: len(labels)], self._weight, minlength=self.clusters)
        self.effective = effective_units(own)
        self.independent = self._independent()

    def share(self, tuning: float) -> float | None:
        """Return the share that solves the equation."""
        labels, frame, w = self._labels, self._frame, self._weight * self._labels.size
        women = w @ labels.female + tuning * (frame.female / frame.units - w @ labels.predicted)
        counts = w @ labels.counts
        counts += tuning * (frame.counted / frame.units - w @ labels.predicted_counts)
        if self._missed is not None:
            women += self._missed_weight @ self._missed.female
            counts += self._missed_weight @ self._missed.counts
        self._scale = float(counts)
        return float(women / counts) if counts > 0 else None

    def best_tuning(self, share: float) -> float:
        """Return the weight of the predictions, 0 to 1, that makes the variance least."""
        errors, moves = self._errors(share), self._moves(share)
        square = float(moves @ moves)
        return min(max(float(errors @ moves) / square, 0.0), 1.0) if square > 0 else 0.0

    def spread(self, share: float, tuning: float) -> float:
        """Return the variance of one cluster's worth."""
        residual = (self._errors(share) - tuning * self._moves(share)) / self._scale
        lost = self.effective / max(1.0, self.effective - self.strata - bool(tuning))
        return float(residual @ residual) * self.clusters * lost

    def _independent(self) -> float:
        """Return how many labels drawn singly know as much: clusters at least, labels at most.

        Faces of one photo are mostly of people who have nothing to do with each other, those of one
        person are nearly one face. The design effect of the labels alone says which it is here:
        Kish, "Survey sampling", 1965.
        """
        labels, share = self._labels, self.share(0.0)
        values = labels.size * (labels.female - (share or 0.0) * labels.counts)
        errors = _centred(values, self._weight, labels.stratum)
        single, together = float(errors @ errors), self._by_cluster(errors)
        effect = float(together @ together) / single if single > 0 else math.inf
        return max(len(labels) / max(effect, 1.0), min(self.clusters, len(labels)))

    def _errors(self, share: float) -> Floats:
        """What each cluster's labels contribute, (clusters,)."""
        labels = self._labels
        values = labels.size * (labels.female - share * labels.counts)
        parts = [_centred(values, self._weight, labels.stratum)]
        if self._missed is not None:
            values = self._missed.female - share * self._missed.counts
            parts.append(_centred(values, self._missed_weight, self._missed.stratum))
        return self._by_cluster(np.concatenate(parts))

    def _moves(self, share: float) -> Floats:
        """What each cluster's predictions contribute, (clusters,)."""
        labels = self._labels
        values = labels.size * (labels.predicted - share * labels.predicted_counts)
        return self._by_cluster(_centred(values, self._weight, labels.stratum))

    def _by_cluster(self, values: Floats) -> Floats:
        sums = np.bincount(self._cluster[: len(values)], values, minlength=self.clusters)
        return np.asarray(sums, dtype=np.float64)


def _centred(values: Floats, weight: Floats, stratum: NDArray[np.intp]) -> Floats:
    """Weigh values after their stratum's mean is taken off."""
    _, of = np.unique(stratum, return_inverse=True)
    means = np.bincount(of, weight * values) / np.bincount(of, weight)
    return np.asarray(weight * (values - means[of]), dtype=np.float64)
