"""How far annotators agree beyond chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from facegender.dataset.review_labels import ANSWERS, SETTLED, ReviewLabel, current_labels
from facegender.evaluation.intervals import Estimate, wilson


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two annotators have in common.

    Attributes:
        first, second: their names.
        faces: that both answered.
        same: with the same answer.
        kappa: Cohen's kappa with its 95 % interval.
    """

    first: str
    second: str
    faces: int
    same: int
    kappa: Estimate


def agreements(rows: Iterable[ReviewLabel]) -> list[Agreement]:
    """Compare every two annotators on the faces that both answered; `SETTLED` is none of them."""
    answers: dict[str, dict[object, str]] = {}
    for row in current_labels(rows):
        if row.annotator != SETTLED and row.box is not None:
            answers.setdefault(row.annotator, {})[row.face] = row.label
    found = []
    for one, other in combinations(sorted(answers), 2):
        common = [face for face in answers[one] if face in answers[other]]
        if common:
            first = [answers[one][face] for face in common]
            second = [answers[other][face] for face in common]
            same = sum(a == b for a, b in zip(first, second, strict=True))
            found.append(Agreement(one, other, len(common), same, cohens_kappa(first, second)))
    return found


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> Estimate:
    """Return Cohen's kappa of two annotators' answers with a 95 % interval.

    Source: Cohen, "A coefficient of agreement for nominal scales", 1960; its standard error:
    Fleiss, Cohen and Everitt, "Large sample standard errors of kappa and weighted kappa", 1969.
    The interval is Wilson's of the observed agreement, for as many faces as have that standard
    error, so that it stays below 1 and has a width where all answers agree.

    Args:
        first, second: answers about the same faces, each one of `ANSWERS`.

    Returns:
        undefined (None) without faces, or where both gave one and the same answer throughout.
    """
    count = len(first)
    table = np.zeros((len(ANSWERS), len(ANSWERS)))
    place = {answer: i for i, answer in enumerate(ANSWERS)}
    for a, b in zip(first, second, strict=True):
        table[place[a], place[b]] += 1
    if not count:
        return Estimate(None)
    table /= count
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    observed, chance = float(np.trace(table)), float(rows @ columns)
    if chance >= 1:
        return Estimate(None)
    kappa = (observed - chance) / (1 - chance)
    effective = float(count)
    if 0 < observed < 1:
        error = _standard_error(table, kappa, chance, count) * (1 - chance)
        effective = observed * (1 - observed) / error**2 if error > 0 else effective
    low, high = wilson(observed, effective)
    return Estimate(kappa, (low - chance) / (1 - chance), (high - chance) / (1 - chance))


def _standard_error(table: np.ndarray, kappa: float, chance: float, count: int) -> float:
    """Return the large sample standard error of kappa: Fleiss, Cohen and Everitt, 1969."""
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    diagonal = np.diag(table)
    pairs = columns[:, None] + rows[None, :]  # p.i + pj. of each cell
    agree = float((diagonal * (1 - (rows + columns) * (1 - kappa)) ** 2).sum())
    apart = (table * pairs**2).sum() - (diagonal * np.diag(pairs) ** 2).sum()
    rest = (1 - kappa) ** 2 * float(apart) - (kappa - chance * (1 - kappa)) ** 2
    return math.sqrt(max(agree + rest, 0.0) / count) / (1 - chance)
