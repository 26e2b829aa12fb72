"""Occlusion maps: how the answer changes when a part of the crop is hidden.

Occlusion only needs the network's probabilities, so it works with the LiteRT model, and it is
faithful by construction: it marks what changes the answer. Source: Zeiler and Fergus,
"Visualizing and understanding convolutional networks", 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from facegender.errors import DataError
from facegender.faces.crop_cache import Crops
from facegender.faces.extraction import Source, find_faces
from facegender.images.decode import Photo
from facegender.labels import FEMALE, LABELS, MALE
from facegender.prediction.predictor import Predictor

PATCH: Final = 0.22
"""Side of the hiding square, as a share of the crop's shorter side."""
STEPS: Final = 15
"""Number of positions of the square, across and down."""
SHOWN: Final = 320
"""Height of the crop in the picture, in pixels."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The effect of hiding parts of a face.

    Attributes:
        crop: uint8 (height, width, 3), as the network saw it.
        p_male: its probability of male.
        effect: float64 (height, width), mean decrease of the log odds of the answer when that
            pixel is hidden, negative if they increase. Log odds are used because a probability
            near 1 hardly changes.
        largest: the largest change of the probability by hiding one part, 0 to 1.
    """

    crop: Photo
    p_male: float
    effect: NDArray[np.float64]
    largest: float

    @property
    def label(self) -> int:
        """0 = female, 1 = male."""
        return MALE if self.p_male >= 0.5 else FEMALE


def explain(predictor: Predictor, source: Source, *, face: int = 1) -> Explanation:
    """Compute the occlusion map of a face.

    Args:
        predictor: the model.
        source: a path, a file's bytes or an upright RGB array.
        face: number of the face, from 1 for the largest.

    Raises:
        PhotoError: the photo cannot be used.
        DataError: it has no such face.
    """
    found = find_faces(source, predictor.bundle.geometry, predictor.detector)
    if found.error is not None:
        raise found.error
    if not 1 <= face <= len(found.faces):
        raise DataError(f"there is no face {face}: {len(found.faces)} were found", "")
    crop = found.crops[face - 1]
    hidden, squares = _hidden(crop)
    answers = predictor.classify(np.concatenate([crop[np.newaxis], hidden])).astype(np.float64)
    p_male = float(answers[0, MALE])
    odds = log_odds(answers) * (1.0 if p_male >= 0.5 else -1.0)
    falls = odds[0] - odds[1:]
    total, times = np.zeros(crop.shape[:2]), np.zeros(crop.shape[:2])
    for fall, (top, bottom, left, right) in zip(falls, squares, strict=True):
        total[top:bottom, left:right] += fall
        times[top:bottom, left:right] += 1
    largest = float(np.abs(answers[1:, MALE] - p_male).max())
    return Explanation(crop, p_male, total / times, largest)


def log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log odds of male of probabilities (n, 2)."""
    logs = np.log(np.clip(probabilities, 1e-37, 1.0))
    odds: NDArray[np.float64] = logs[:, MALE] - logs[:, FEMALE]
    return odds


def hide(crop: Photo, mask: NDArray[np.bool_]) -> Photo:
    """Return a crop whose masked pixels have the crop's mean colour."""
    hidden = crop.copy()
    hidden[mask] = crop.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    return hidden


def draw_explanation(explanation: Explanation) -> Image.Image:
    """Return the crop beside a copy in which the parts that support the answer are orange.

    Blue parts contradict it. Colours are scaled to the largest effect, which is written below.
    """
    crop, effect = explanation.crop, explanation.effect
    scale = SHOWN / crop.shape[0]
    size = (round(crop.shape[1] * scale), SHOWN)
    plain = Image.fromarray(crop).resize(size, Image.Resampling.BICUBIC)
    strongest = max(float(np.abs(effect).max()), 1e-9)
    strength = np.clip(np.abs(effect) / strongest, 0, 1)[..., np.newaxis] * 0.75
    colour = np.where(effect[..., np.newaxis] >= 0, (230, 159, 0), (0, 114, 178))
    grey = crop.mean(axis=2, keepdims=True).repeat(3, axis=2)
    mixed = ((1 - strength) * grey + strength * colour).round().astype(np.uint8)
    marked = Image.fromarray(mixed).resize(size, Image.Resampling.BICUBIC)
    sheet = Image.new("RGB", (2 * size[0] + 12, SHOWN + 44), "white")
    sheet.paste(plain, (0, 0))
    sheet.paste(marked, (size[0] + 12, 0))
    sure = explanation.p_male if explanation.label == MALE else 1 - explanation.p_male
    words = (
        f"{LABELS[explanation.label]} {100 * sure:.0f} %",
        f"orange supports it, blue contradicts it; at most {100 * explanation.largest:.0f} points",
    )
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(words):
        place = (4, SHOWN + 4 + 19 * number)
        pen.text(place, line, fill="black", font=ImageFont.load_default(15))
    return sheet


def _hidden(crop: Photo) -> tuple[Crops, list[tuple[int, int, int, int]]]:
    """Return the crop with the square at each position, and the positions."""
    height, width = crop.shape[:2]
    side = max(2, round(PATCH * min(height, width)))
    tops = np.linspace(0, height - side, STEPS).round().astype(int)
    lefts = np.linspace(0, width - side, STEPS).round().astype(int)
    squares = [
        (int(top), int(top) + side, int(left), int(left) + side) for top in tops for left in lefts
    ]
    hidden = np.empty((len(squares), *crop.shape), np.uint8)
    for number, (top, bottom, left, right) in enumerate(squares):
        mask = np.zeros((height, width), bool)
        mask[top:bottom, left:right] = True
        hidden[number] = hide(crop, mask)
    return hidden, squares
