"""Crops for comparing an export with its model, and for calibrating int8."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from facegender.dataset.open_table import Table, open_table
from facegender.errors import DataError
from facegender.faces.crop_cache import Crops
from facegender.faces.detection import AsCropped, detector_for
from facegender.faces.extraction import Source, find_faces_in
from facegender.faces.geometry import Geometry
from facegender.models.bundle import Bundle

COMPARED: Final = 200
"""Maximum number of crops for the comparison."""
CALIBRATED: Final = 200
"""Maximum number of crops for calibrating int8. More take longer and do not help:
`lite`'s mean difference was 0.006 with 10, 0.007 with 300 and with 1,000 crops."""
MIN_CALIBRATION_CROPS: Final = 20

Photos = str | os.PathLike[str] | Table | Sequence[Source]
"""A faces.csv, or photos as `Predictor.predict` accepts them."""
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """Crops and their origin.

    Attributes:
        crops: uint8 (n, height, width, 3), all different.
        photos: photos read, 0 for synthetic pictures.
        no_face: photos without a face.
        unreadable: photos that could not be used.
    """

    crops: Crops
    photos: int = 0
    no_face: int = 0
    unreadable: int = 0


def take_crops(
    photos: Photos,
    bundle: Bundle,
    wanted: int,
    *,
    without: Crops | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> Sample:
    """Detect and crop the largest face of photos, in random order, until there are enough.

    Args:
        photos: the photos; the same photos always give the same crops.
        bundle: the model whose geometry is used.
        wanted: maximum number of crops.
        without: crops to exclude.
        workers: processes that read photos; None means one per core.
        on_progress: called with (faces found, faces wanted).

    Raises:
        DataError: none of them shows a face, or they were cropped to another geometry.
    """
    sources: list[Source]
    geometry = bundle.geometry
    if isinstance(photos, (str, os.PathLike, Table)):
        table = open_table(photos)
        cropped = table.is_cropped_to(geometry)
        sources = list(table.samples.paths)
        detector = AsCropped(geometry.size) if cropped else detector_for(geometry)
    else:
        sources, detector = list(photos), detector_for(geometry)
    random.Random(0).shuffle(sources)
    seen = set() if without is None else {crop.tobytes() for crop in without}
    taken: list[Crops] = []
    looked = no_face = unreadable = 0
    for found in find_faces_in(sources, geometry, detector=detector, workers=workers):
        looked += 1
        unreadable += found.error is not None
        no_face += found.error is None and not found.faces
        if found.faces and found.crops[0].tobytes() not in seen:
            seen.add(found.crops[0].tobytes())
            taken.append(found.crops[0])
            if on_progress is not None:
                on_progress(len(taken), wanted)
        if len(taken) == wanted:
            break
    crops = np.array(taken, np.uint8).reshape(-1, *geometry.shape)
    if not len(crops) and without is None:
        raise DataError(
            f"no face in {looked:,} photos ({unreadable:,} of them unreadable)",
            "Give photos of faces.",
        )
    return Sample(crops, looked, no_face, unreadable)


def made_crops(geometry: Geometry, number: int = COMPARED) -> Sample:
    """Return synthetic pictures, always the same: blurred colours of varying brightness, noise.

    They cover the whole range of probabilities, as photos do.
    """
    crops = np.zeros((number, *geometry.shape), np.uint8)
    for i in range(number):
        drawn = np.random.default_rng(i)
        side = int(drawn.integers(2, 9))
        colours = Image.fromarray(drawn.integers(0, 256, (side, side, 3)).astype(np.uint8))
        blurred = np.asarray(colours.resize(geometry.size, Image.Resampling.BICUBIC), np.float64)
        noise = drawn.normal(0, drawn.uniform(0, 25), blurred.shape)
        crops[i] = np.clip(drawn.uniform(0.3, 1) * blurred + noise, 0, 255).astype(np.uint8)
    return Sample(crops)


def split_sample(sample: Sample) -> tuple[Sample, Crops]:
    """Split crops into those for the comparison and those for calibration.

    Raises:
        DataError: there are too few for calibration.
    """
    compared = min(COMPARED, len(sample.crops) // 2, len(sample.crops) - MIN_CALIBRATION_CROPS)
    if compared < 1:
        raise too_few(len(sample.crops), MIN_CALIBRATION_CROPS + 1)
    crops = sample.crops
    rest = crops[compared : compared + CALIBRATED]
    return Sample(crops[:compared], sample.photos, sample.no_face, sample.unreadable), rest


def too_few(found: int, needed: int) -> DataError:
    """Return the error for too few faces for calibration."""
    return DataError(
        f"int8 needs {needed} different faces to calibrate with, found {found}",
        "Give more photos to --calibrate.",
    )
