"""The labelled faces and photos of an archive, as the estimators want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.review_labels import NOT_FACE, PHOTOS, UNTELLABLE, ReviewLabel
from facegender.errors import DataError
from facegender.evaluation.answered import Answered, Match
from facegender.evaluation.prevalence import Floats, Labelled, Missed
from facegender.labels import FEMALE, LABELS

WOMAN = LABELS[FEMALE]


@dataclass(frozen=True, slots=True)
class LabelledPhotos:
    """Photos of a sample of photos, every face of which is labelled; arrays (m,).

    Attributes:
        photo: number of each photo.
        any_woman: whether it shows a woman.
        mean: share of women among its faces.
        counts: whether it shows a face whose gender can be told.
        missed_female, missed: faces that the model did not find: women, and all that can be told.
        weight, cluster, stratum: as in `Labelled`.
    """

    photo: NDArray[np.intp]
    any_woman: Floats
    mean: Floats
    counts: Floats
    missed_female: Floats
    missed: Floats
    weight: Floats
    cluster: NDArray[np.intp]
    stratum: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.photo)

    def take(self, rows: NDArray[np.bool_]) -> LabelledPhotos:
        """Return the photos that a mask selects."""
        return LabelledPhotos(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class LabelSample:
    """A sample of labels, or what of it lies in a part of the archive.

    Attributes:
        faces: the labelled faces that the model found.
        photo: the number of each one's photo.
        labels: the label of each.
        whole: the photos that were labelled whole; empty without a sample of photos.
        photos: photos in the archive, or in its part.
    """

    faces: Labelled
    photo: NDArray[np.intp]
    labels: NDArray[np.str_]
    whole: LabelledPhotos
    photos: int

    @property
    def untellable(self) -> int:
        """Faces whose gender people could not tell."""
        return int((self.labels == UNTELLABLE).sum())

    @property
    def not_face(self) -> int:
        """Answers that are of no face."""
        return int((self.labels == NOT_FACE).sum())

    @property
    def missed_faces(self) -> int:
        """Faces that people saw and the model did not find."""
        return int(self.whole.missed.sum())

    def within(self, part: NDArray[np.bool_] | None, photos: int) -> LabelSample:
        """Return what lies in a part of the archive.

        Args:
            part: (photos in all,), which photos belong to it; None for all.
            photos: how many do.
        """
        if part is None:
            return self
        rows = part[self.photo]
        return LabelSample(
            self.faces.take(rows),
            self.photo[rows],
            self.labels[rows],
            self.whole.take(part[self.whole.photo]),
            photos,
        )

    def of_faces(self) -> tuple[Labelled, Missed | None]:
        """Return the labelled faces, and what the model missed in photos labelled whole."""
        whole = self.whole
        if not len(whole):
            return self.faces, None
        missed = Missed(
            self.photos,
            whole.missed_female,
            whole.missed,
            whole.weight,
            whole.cluster,
            whole.stratum,
        )
        return self.faces, missed

    def of_photo_shares(self, faces_of: NDArray[np.int64]) -> Labelled:
        """Return the labelled faces, each as large as its part of its photo.

        Args:
            faces_of: how many answered faces each photo of the archive has.
        """
        return replace(self.faces, size=1 / faces_of[self.photo])

    def of_photos(self, predicted: Floats, faces_of: NDArray[np.int64], *, mean: bool) -> Labelled:
        """Return the photos that were labelled whole.

        Args:
            predicted: for each photo of the archive the prediction of what is measured.
            faces_of: how many answered faces each photo of the archive has.
            mean: measure the share of women in a photo, else whether it shows one.
        """
        whole = self.whole
        found = (faces_of[whole.photo] > 0).astype(np.float64)
        return Labelled(
            whole.mean if mean else whole.any_woman,
            whole.counts,
            predicted[whole.photo] * found,
            found,
            np.ones(len(whole)),
            whole.weight,
            whole.cluster,
            whole.stratum,
        )


def sample_of(answered: Answered, given: Sequence[ReviewLabel], warnings: list[str]) -> LabelSample:
    """Make the sample of the labels that belong to an archive's answers.

    Args:
        answered: the answers, with the labels that match them.
        given: every label, those of other photos included.
        warnings: sentences are added for labels that cannot be used.

    Raises:
        DataError: no label belongs to any answer.
    """
    faces = [match for match in answered.matches if match.unit >= 0]
    if not faces and not any(match.label.sample == PHOTOS for match in answered.matches):
        raise DataError(
            f"none of the {len(given):,} labels is about a face that was answered",
            "Give the labels of these photos; their paths are relative to the labels' folder.",
        )
    lost = len(given) - len(answered.matches)
    lost += sum(m.unit < 0 and m.label.sample != PHOTOS for m in answered.matches)
    if lost:
        warnings.append(f"{lost:,} labels are about no face that was answered: they were left out")
    others = {m.label.model for m in answered.matches} - {"", answered.model}
    if answered.model and others:
        warnings.append(
            f"labels were sampled from the answers of another model ({', '.join(sorted(others))})"
        )
    photo = np.array([match.photo for match in faces], np.intp)
    units = np.array([match.unit for match in faces], np.intp)
    labels = np.array([match.label.label for match in faces], np.str_)
    counts = np.isin(labels, LABELS).astype(np.float64)
    ones = np.ones(len(faces))
    sample = Labelled(
        (labels == WOMAN).astype(np.float64),
        counts,
        answered.female[units].astype(np.float64),
        ones,
        answered.size[units],
        _weights([match.label for match in faces], warnings),
        _clusters(answered, photo),
        _strata([match.label for match in faces]),
    )
    return LabelSample(sample, photo, labels, _whole_photos(answered, warnings), answered.photos)


def _whole_photos(answered: Answered, warnings: list[str]) -> LabelledPhotos:
    """Return the photos of a sample of photos, less those with an answer not yet labelled."""
    by_photo: dict[int, list[Match]] = {}
    for match in answered.matches:
        if match.label.sample == PHOTOS:
            by_photo.setdefault(match.photo, []).append(match)
    faces_of = np.bincount(answered.photo, minlength=answered.photos)
    whole = {
        photo: matches
        for photo, matches in by_photo.items()
        if sum(match.unit >= 0 for match in matches) == faces_of[photo]
    }
    if len(whole) < len(by_photo):
        warnings.append(
            f"{len(by_photo) - len(whole):,} sampled photos have a face without a label: what they "
            "show as a whole was left out"
        )
    rows = []
    for matches in whole.values():
        told = [match for match in matches if match.label.label in LABELS]
        women = [match.label.label == WOMAN for match in told]
        missed = [match.label.label == WOMAN for match in told if match.unit < 0]
        mean = sum(women) / len(women) if women else 0.0
        rows.append((any(women), mean, bool(told), sum(missed), len(missed)))
    woman, mean_of, counts, missed_women, all_missed = np.array(rows, np.float64).reshape(-1, 5).T
    photo = np.array(list(whole), np.intp)
    firsts = [matches[0].label for matches in whole.values()]
    return LabelledPhotos(
        photo,
        woman,
        mean_of,
        counts,
        missed_women,
        all_missed,
        _weights(firsts, []),
        _clusters(answered, photo),
        _strata(firsts),
    )


def _weights(labels: Sequence[ReviewLabel], warnings: list[str]) -> Floats:
    """Return the inverse of each inclusion probability.

    A sample of faces and one of photos stand for the archive both, each with as much weight as it
    has labels.
    """
    weights = np.ones(len(labels))
    kinds = np.array([label.sample == PHOTOS for label in labels], bool)
    for kind in (False, True):
        rows = np.flatnonzero(kinds == kind).tolist()
        given = [labels[row].probability for row in rows]
        known = [value for value in given if value is not None]
        if known and len(known) < len(given):
            warnings.append(
                f"{len(given) - len(known):,} labels have no probability of inclusion: all of "
                "their sample count alike"
            )
        elif known:
            weights[rows] = 1 / np.array(known)
            weights[rows] *= len(rows) / weights[rows].sum()
    return weights


def _clusters(answered: Answered, photos: NDArray[np.intp]) -> NDArray[np.intp]:
    """Number what errs together: the person of a photo where one is known, else the photo."""
    if answered.persons is None:
        return photos
    person = answered.persons.codes[photos]
    return np.where(person >= 0, answered.photos + person, photos).astype(np.intp)


def _strata(labels: Sequence[ReviewLabel]) -> NDArray[np.intp]:
    known: dict[tuple[bool, str], int] = {}
    keys = [(label.sample == PHOTOS, label.stratum) for label in labels]
    return np.array([known.setdefault(key, len(known)) for key in keys], np.intp)
