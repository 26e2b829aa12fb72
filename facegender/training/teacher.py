"""Trained models, or answers that were given before, that teach a smaller or quicker network.

The network learns what its teachers say of the very crop that it sees, augmented as it is, beside
the label; or, where they are asked once for each photo, of its plain crop and the mirror image.
Sources: Hinton et al., "Distilling the knowledge in a neural network", 2015; Beyer et
al., "Knowledge distillation: a good teacher is patient and consistent", 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.given_answers import read_given_answers
from facegender.dataset.samples import Samples
from facegender.errors import DataError, UsageError
from facegender.faces.crop_cache import Crops, CropSource
from facegender.faces.geometry import Geometry
from facegender.models.architectures import architecture
from facegender.models.bundle import Bundle, load_bundle
from facegender.models.inference import Network, Probabilities, load_network
from facegender.runtime.files import sha256_of

SHARE: Final = 0.7
"""Default share of the teachers' answers in the target; the rest is the label."""
BATCH: Final = 64
"""Number of crops that teachers are asked for at once."""
LEAST: Final = 1e-6
"""Least probability whose logarithm is taken."""


Odds = NDArray[np.float64]
"""Log odds of male, NaN without an answer."""


@dataclass(frozen=True, slots=True)
class Teachers:
    """What `--teacher` names.

    Attributes:
        bundles: the models; their networks are not loaded yet.
        files: CSVs of answers.
        fingerprints: of both, in the order given.
    """

    bundles: tuple[Bundle, ...] = ()
    files: tuple[Path, ...] = ()
    fingerprints: tuple[str, ...] = ()

    def read_files(self, samples: Samples, train: NDArray[np.int64]) -> Odds:
        """Return what the files say of the rows of a table: log odds, float64 (files, rows).

        Args:
            samples: the table.
            train: the rows to learn from.

        Raises:
            DataError: as `read_given_answers`, or a file answers none of the rows `train`.
        """
        odds = np.full((len(self.files), len(samples)), np.nan)
        for number, file in enumerate(self.files):
            male = read_given_answers(file, samples).p_male
            if np.isnan(male[train]).all():
                raise DataError(
                    f"--teacher {file} answers none of the {len(train):,} training photos",
                    "Answers to other rows teach nothing. To have a model answer these: "
                    "facegender eval --split train --predictions FILE",
                )
            odds[number] = _log_odds(np.stack([1 - male, male], axis=1))
        return odds


class Teacher:
    """The mean of some models' log odds.

    Args:
        bundles: the models.
        networks: their networks, in the same order.
    """

    def __init__(self, bundles: Sequence[Bundle], networks: Sequence[Network]) -> None:
        self._models = list(zip(bundles, networks, strict=True))

    def __call__(self, crops: Crops) -> Probabilities:
        """Return the probabilities float32 (n, 2) of crops uint8 (n, height, width, 3)."""
        return _probabilities(np.mean([_ask(*model, crops) for model in self._models], axis=0))

    def ask_once(
        self,
        crops: CropSource,
        rows: NDArray[np.int64],
        on_progress: Callable[[int, int], None],
    ) -> Odds:
        """Return each model's answers to the crops, the mean of it and its mirror image.

        Args:
            crops: uint8 (photos, height, width, 3).
            rows: int64, the crops to ask for.
            on_progress: called with the rows done and their number.

        Returns:
            float64 (models, photos); NaN for rows that were not asked for.
        """
        odds = np.full((len(self._models), crops.shape[0]), np.nan)
        for begin in range(0, len(rows) if self._models else 0, BATCH):
            some = rows[begin : begin + BATCH]
            seen = np.asarray(crops[some])
            odds[:, some] = [_ask_both_ways(*model, seen) for model in self._models]
            on_progress(min(begin + BATCH, len(rows)), len(rows))
        return odds


def mean_answer(odds: Odds) -> NDArray[np.float32]:
    """Return the probability of male that teachers' mean log odds give, float32 (rows,).

    Args:
        odds: float64 (teachers, rows); NaN without an answer. Those that answered count.

    Returns:
        NaN where no teacher answered.
    """
    answered = ~np.isnan(odds)
    sums, counts = np.where(answered, odds, 0.0).sum(axis=0), answered.sum(axis=0)
    mean = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return np.asarray(1 / (1 + np.exp(-mean)), np.float32)


def is_file_of_answers(teacher: str) -> bool:
    """Return whether `--teacher` names a CSV, by its ending, and not a model folder."""
    return Path(teacher).suffix.casefold() == ".csv"


def open_teachers(given: Sequence[str]) -> Teachers:
    """Read and check the model folders of teachers, and find the files of answers.

    Raises:
        UsageError: there is no such folder or file.
        BundleError: one is no model folder, or it is damaged.
    """
    bundles, files, fingerprints = [], [], []
    for name in given:
        path, csv = Path(name), is_file_of_answers(name) and not Path(name).is_dir()
        if not (path.is_file() if csv else path.is_dir()):
            raise UsageError(
                f"--teacher {name}: there is no such {'file' if csv else 'folder'}",
                "Give a model folder, or a CSV of answers with the columns path and p_male.",
            )
        if csv:
            files.append(path)
            fingerprints.append(sha256_of(path)[:16])
        else:
            bundles.append(load_bundle(path))
            fingerprints.append(bundles[-1].fingerprint)
    return Teachers(tuple(bundles), tuple(files), tuple(fingerprints))


def check_crops(bundles: Sequence[Bundle], geometry: Geometry) -> None:
    """Check that teachers take the crops that are learned from, in any size.

    Raises:
        UsageError: one takes another kind of crop or another margin.
    """
    wanted = {**geometry.to_json(), "size": None}
    for bundle in bundles:
        if {**bundle.geometry.to_json(), "size": None} != wanted:
            raise UsageError(
                f"--teacher {bundle.folder}: it takes crops of kind {bundle.geometry.kind}, margin "
                f"{bundle.geometry.margin}, not {geometry.kind}, {geometry.margin}",
                "Choose --crop-kind as the teacher's.",
            )


def load_teacher(bundles: Sequence[Bundle]) -> Teacher:
    """Load the networks of teachers.

    Raises:
        BundleError: one cannot be loaded.
    """
    return Teacher(bundles, [load_network(bundle) for bundle in bundles])


def _ask(bundle: Bundle, network: Network, crops: Crops) -> NDArray[np.float64]:
    return _log_odds(network(_resized(crops, bundle.geometry.size)))


def _ask_both_ways(bundle: Bundle, network: Network, crops: Crops) -> NDArray[np.float64]:
    """Return the mean log odds of crops and their mirror images."""
    if architecture(bundle.arch).recipe.mirrored:  # it averages both itself
        return _ask(bundle, network, crops)
    return np.asarray((_ask(bundle, network, crops) + _ask(bundle, network, crops[:, :, ::-1])) / 2)


def _log_odds(probabilities: Probabilities | Odds) -> Odds:
    logs = np.log(np.clip(probabilities.astype(np.float64), LEAST, 1.0))
    return np.asarray(logs[:, 1] - logs[:, 0])


def _probabilities(odds: NDArray[np.float64]) -> Probabilities:
    male = 1 / (1 + np.exp(-odds))
    return np.stack([1 - male, male], axis=1).astype(np.float32)


def _resized(crops: Crops, size: tuple[int, int]) -> Crops:
    """Return crops in the size that a teacher takes."""
    if crops.shape[2:0:-1] == size:
        return crops
    from PIL import Image

    return np.stack(
        [
            np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.BILINEAR))
            for crop in crops
        ]
    )
