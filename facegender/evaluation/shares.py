"""Shares of women in an archive and in its parts: counted, corrected by labels, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegender.dataset.review_labels import CHOSEN, ReviewLabel, agreed_labels, read_review_labels
from facegender.errors import DataError, UsageError
from facegender.evaluation.answered import Answered, OnProgress, read_answers
from facegender.evaluation.counting import CORRECTED, MIN_LABELS, UNCORRECTED, Counts, Share
from facegender.evaluation.intervals import Estimate
from facegender.evaluation.label_sample import sample_of
from facegender.evaluation.prevalence import difference
from facegender.evaluation.recorded_recalls import Recalls
from facegender.prediction.answers import STDIN


@dataclass(slots=True)
class Shares:
    """Everything that `count` found.

    Attributes:
        file: the answers.
        whole: the whole archive.
        groups: grouping -> value -> share, in natural order of the values.
        trends: grouping -> its first value, its last, and the last share minus the first; only
            where all values are years and both have intervals.
        video: faces are tracks, weighted by their seconds.
        reviewable: `review` can show what was counted, since it has a file that says where it is.
        plan: the half width that labels were planned for, or None.
        warnings: what a reader must know.
    """

    file: Path
    whole: Share
    groups: dict[str, dict[str, Share]]
    trends: dict[str, tuple[str, str, Estimate]]
    video: bool
    model: str
    reviewable: bool = True
    plan: float | None = None
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract."""
        found: dict[str, Any] = {
            "schema": 1,
            "answers": str(self.file),
            "model": self.model or None,
            "unit": "track" if self.video else "face",
            "all": self.whole.to_json(),
            "groups": {
                by: {value: share.to_json() for value, share in groups.items()}
                for by, groups in self.groups.items()
            },
            "trends": {
                by: {"from": first, "to": last, "difference": change.to_json()}
                for by, (first, last, change) in self.trends.items()
            },
            "warnings": self.warnings,
        }
        if self.plan is not None:
            found["plan"] = self.plan
        return found


def count_shares(
    answers: Path,
    *,
    by: Sequence[str] = (),
    attributes: Path | None = None,
    labels: Path | None = None,
    recalls: Sequence[Recalls] = (),
    fingerprint: str = "",
    plan: float | None = None,
    unit: str | None = None,
    on_progress: OnProgress | None = None,
) -> Shares:
    """Count the women in what `predict` answered.

    Args:
        answers: what `predict` wrote: JSON, JSON lines, CSV or Parquet; ``-`` is standard input.
        by: groupings; see `answered.read_answers`.
        attributes: a CSV with a path column, the columns of `by` and perhaps ``person``.
        labels: labels.csv; without it nothing is corrected.
        recalls: of the model's card; see `recorded_recalls`.
        fingerprint: of that model; where the answers are another's, the recalls are not used.
        plan: say how many labels make an interval of about ± this, 0 to .5.
        unit: count photos only, or videos only; see `choices.Unit`. None takes what is there.
        on_progress: called with bytes read and bytes in all.

    Raises:
        DataError: a file cannot be read or fits no other.
        UsageError: an option out of range, or a column that is nowhere.
    """
    if plan is not None and not 0 < plan < 0.5:
        raise UsageError(f"the plan is ± {plan:g}", "Give a share such as .02 for two points.")
    warnings: list[str] = []
    given: list[ReviewLabel] = []
    if labels is not None:
        given, split = agreed_labels(read_review_labels(labels, [Path(), answers.parent]))
        if split:
            warnings.append(
                f"annotators disagree on {len(split):,} faces, which count as untellable"
            )
        given = _measuring(given, labels, warnings)
    answered = read_answers(
        answers,
        by=by,
        attributes=attributes,
        labels=given,
        labels_folder=None if labels is None else labels.parent,
        unit=unit,
        on_progress=on_progress,
    )
    sample = None if labels is None else sample_of(answered, given, warnings)
    if recalls and answered.model and fingerprint not in ("", answered.model):
        recalls = ()
        warnings.append(
            f"the answers are of another model ({answered.model}) than the card ({fingerprint}): "
            "no range is given"
        )
    counts = Counts(answered, sample, recalls, plan)
    whole = counts.whole()
    if labels is not None and whole.female.method == UNCORRECTED:
        warnings.append(f"{whole.labels:,} labels are too few to correct: label {MIN_LABELS}")
    groups = {name: counts.groups(column) for name, column in answered.columns.items()}
    _say_more(answered, warnings)
    trends = {name: trend for name, found in groups.items() if (trend := _trend(found))}
    return Shares(
        answers,
        whole,
        groups,
        trends,
        answered.video,
        answered.model,
        answered.shown and answers != STDIN,
        plan,
        warnings,
    )


def _measuring(given: list[ReviewLabel], file: Path, warnings: list[str]) -> list[ReviewLabel]:
    """Leave out what was chosen because the model was unsure."""
    kept = [label for label in given if label.sample != CHOSEN]
    if given and not kept:
        raise DataError(
            f"{file} holds only faces that were chosen because the model was unsure: they measure "
            "nothing",
            "Label a random sample: facegender review ANSWERS --sample 200",
        )
    if len(kept) < len(given):
        warnings.append(
            f"{len(given) - len(kept):,} labels of faces chosen as uncertain were left out"
        )
    return kept


def _say_more(answered: Answered, warnings: list[str]) -> None:
    if not answered.complete:
        warnings.append("the run that answers this archive has not ended: only a part was counted")
    if answered.failed:
        one = answered.failed == 1
        things = ("video" if one else "videos") + " could not be read, or in part"
        if not answered.video:
            things = "photo has no answer" if one else "photos have no answer"
        warnings.append(f"{answered.failed:,} {things}: the file of answers says why")
    if answered.repeated:
        warnings.append(f"{answered.repeated:,} photos come more than once: the first was counted")
    for name, column in answered.columns.items():
        unknown = int((column.codes < 0).sum())
        if unknown:
            warnings.append(f"{unknown:,} photos have no {name}: they are in no group of it")


def _trend(groups: dict[str, Share]) -> tuple[str, str, Estimate] | None:
    """Return the change from the first year to the last, among those with an interval."""
    if len(groups) < 2 or not all(value.isdecimal() and len(value) == 4 for value in groups):
        return None
    sure = [value for value, share in groups.items() if share.female.method == CORRECTED]
    if len(sure) < 2:
        return None
    change = difference(groups[sure[0]].female.estimate, groups[sure[-1]].female.estimate)
    return None if change is None else (sure[0], sure[-1], change)
