"""Thumbnails of the most confident mistakes and of the least certain photos."""

from __future__ import annotations

import base64
import io
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from facegender.dataset.review_labels import Box, parse_box
from facegender.dataset.reviewed import BOX
from facegender.errors import PhotoError
from facegender.faces.detection import Detector, whole_photo
from facegender.faces.extraction import find_faces
from facegender.faces.geometry import Face, cut_out
from facegender.images.decode import decode_photo, read_bytes
from facegender.labels import LABELS
from facegender.runtime.parallel import ordered_map

if TYPE_CHECKING:
    from facegender.dataset.samples import Samples
    from facegender.evaluation.evaluation import Evaluation
    from facegender.faces.geometry import Geometry

SIDE = 128
PARTS = 3
"""Number of trailing parts of a path that are shown."""
SHOWN = ("age", "race")
MARGIN = 0.2
"""Margin shown around the detector's box, as a share of its size."""


class Entry(NamedTuple):
    """A photo of the gallery."""

    path: str
    label: int
    p_male: float
    attributes: str
    box: Box | None


def gallery(
    result: Evaluation,
    geometry: Geometry,
    detector: Detector,
    count: int,
    workers: int | None = None,
) -> str:
    """Return HTML with at most `count` most confident mistakes and as many least certain photos.

    Args:
        result: the evaluation.
        geometry, detector: those of its predictor, to show the face that was classified.
        count: 0 shows none, for private photos.
        workers: processes that read photos; None means one per core.
    """
    if count < 1:
        return ""
    p_male, labels = result.answers.p_male, result.answers.labels
    right = np.where(labels == 1, p_male, 1 - p_male)
    answered = np.flatnonzero(result.answers.answered)
    wrong = answered[((p_male >= 0.5) != (labels == 1))[answered]]
    surest = wrong[np.argsort(right[wrong], kind="stable")][:count]
    doubtful = answered[np.argsort(np.abs(p_male - 0.5)[answered], kind="stable")][:count]
    make = partial(_thumbnail, geometry=geometry, detector=detector)
    parts = []
    for heading, rows in (("The most confident mistakes", surest), ("The least certain", doubtful)):
        entries = [
            Entry(
                result.samples.paths[row],
                int(labels[row]),
                float(p_male[row]),
                _attributes(result.samples, row),
                parse_box(result.samples.attributes[BOX][row]) if result.reviewed else None,
            )
            for row in rows
        ]
        shown = [(entry.path, entry.box) for entry in entries]
        pictures = ordered_map(make, shown, workers=workers, chunk=8, on_death=lambda _shown: "")
        items = [_item(e, picture) for e, picture in zip(entries, pictures, strict=True)]
        body = f'<ul class="gallery">{"".join(items)}</ul>' if items else "<p>None.</p>"
        parts.append(f"<h3>{heading}</h3>{body}")
    return "".join(parts)


def _item(entry: Entry, picture: str) -> str:
    answer = int(entry.p_male >= 0.5)
    sure = entry.p_male if answer else 1 - entry.p_male
    words = f"labelled {LABELS[entry.label]}, called {LABELS[answer]}, {100 * sure:.0f}\u00a0%"
    name = _shown(entry.path).encode("utf-8", "backslashreplace").decode()
    alt = escape(words, quote=True)
    shown = f'<img src="{picture}" alt="{alt}" loading="lazy">' if picture else ""
    facts = f"{escape(entry.attributes)}<br>" if entry.attributes else ""
    return f"<li>{shown}{escape(words)}<br>{facts}<span class='soft'>{escape(name)}</span></li>"


def _shown(path: str) -> str:
    """Return the end of a path, which identifies the photo and fits on the page."""
    return "/".join(Path(path).parts[-PARTS:])


def _attributes(samples: Samples, row: int) -> str:
    """Return age, race and similar attributes, if the table has them."""
    cells = (column[row] for name, column in samples.attributes.items() if name in SHOWN)
    return ", ".join(cell for cell in cells if cell)


def _thumbnail(shown: tuple[str, Box | None], geometry: Geometry, detector: Detector) -> str:
    """Return the face as a data URL, "" if the photo cannot be read any more."""
    path, framed = shown
    try:
        photo = decode_photo(read_bytes(path)).pixels
    except PhotoError:
        return ""
    if framed is not None:
        face = Face(framed, score=1.0)
    else:
        found = find_faces(photo, geometry, detector)
        (face,) = found.faces[:1] or whole_photo(photo)
    x, y, width, height = face.box
    side = max(width, height) * (1 + (MARGIN if face.score is not None else 0.0))
    box = (x + (width - side) / 2, y + (height - side) / 2, side, side)
    data = io.BytesIO()
    Image.fromarray(cut_out(photo, box, (SIDE, SIDE))).save(data, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
