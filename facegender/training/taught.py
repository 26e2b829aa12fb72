"""What teachers said once of each photo, kept in ``last/`` so that nobody asks them again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facegender.dataset.given_answers import read_given_answers
from facegender.dataset.samples import Samples
from facegender.errors import DataError
from facegender.models.bundle import LAST
from facegender.runtime.files import make_folder, no_formula, sha256_of, text_writer, write_csv_row
from facegender.training.batches import Batches
from facegender.training.events import Asking, OnEvent, Warn
from facegender.training.teacher import Teachers, load_teacher, mean_answer

ANSWERS: Final = "answers.csv"
"""In ``last/``: the columns path and p_male, empty where no teacher answered."""


def taught_once(
    teachers: Teachers,
    samples: Samples,
    batches: Batches,
    out: Path,
    asked: str,
    on_event: OnEvent,
) -> tuple[Batches, str]:
    """Return batches with what the teachers say of each photo, and the SHA-256 of the answers.

    Photos that no teacher answers teach their labels.

    Args:
        teachers: whom to ask.
        samples: the rows of the batches.
        batches: they name the crops to ask for.
        out: the model folder; the answers are kept in its ``last/``.
        asked: SHA-256 of the answers that were kept by a training that is resumed, "" by none.
        on_event: called with progress.

    Raises:
        BundleError, DataError: a teacher cannot be loaded, or its answers cannot be read.
    """
    file = out / LAST / ANSWERS
    male = _kept(file, samples, asked) if asked else None
    if male is None:
        odds = load_teacher(teachers.bundles).ask_once(
            batches.crops, batches.rows, lambda done, total: on_event(Asking(done, total))
        )
        male = mean_answer(np.concatenate([odds, teachers.read_files(samples, batches.rows)]))
        _keep(file, samples, batches.rows, male)
        asked = sha256_of(file)
        if silent := int(np.isnan(male[batches.rows]).sum()):
            on_event(
                Warn(
                    f"no teacher has an answer to {silent:,} of {len(batches.rows):,} training "
                    "photos: they teach their labels"
                )
            )
    male = np.where(np.isnan(male), batches.labels.astype(np.float32), male)
    return replace(batches, taught=np.stack([1 - male, male], axis=1)), asked


def forget_answers(out: Path) -> None:
    """Remove what the teachers of an earlier training in the folder said."""
    (out / LAST / ANSWERS).unlink(missing_ok=True)


def _keep(file: Path, samples: Samples, rows: NDArray[np.int64], male: NDArray[np.float32]) -> None:
    """Write the answers so that the same float32 numbers are read."""
    make_folder(file.parent)
    with text_writer(file) as stream:
        write_csv_row(stream, ("path", "p_male"))
        for row in rows:
            said = "" if np.isnan(male[row]) else f"{male[row]:.9g}"
            write_csv_row(stream, (no_formula(samples.paths[row]), said))


def _kept(file: Path, samples: Samples, asked: str) -> NDArray[np.float32] | None:
    """Return the answers that were kept, None if they are not there or not the same."""
    try:
        if sha256_of(file) != asked:
            return None
        return read_given_answers(file, samples).p_male.astype(np.float32)
    except (OSError, DataError):
        return None
