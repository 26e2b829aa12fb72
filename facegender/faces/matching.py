"""Boxes of one photo and the faces found in it: which belongs to which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from facegender.faces.geometry import Face

Box = tuple[float, float, float, float]

SAME: Final = 0.5
"""Least overlap of a box and the face that it means. People frame faces more widely or tightly
than detectors, and boxes in files are whole pixels; two faces side by side share less."""


def overlap(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union, 0 to 1."""
    (x, y, w, h), (u, v, p, q) = one, other
    across = max(0.0, min(x + w, u + p) - max(x, u))
    down = max(0.0, min(y + h, v + q) - max(y, v))
    shared = across * down
    union = w * h + p * q - shared
    return shared / union if union > 0 else 0.0


def match_boxes(boxes: Sequence[Box], faces: Sequence[Face]) -> list[int | None]:
    """Return for each box the number of its face, None where no face overlaps it enough.

    Greedily, the largest overlap first; no face is given to two boxes.
    """
    pairs = [
        (shared, -b, -f)
        for b, box in enumerate(boxes)
        for f, face in enumerate(faces)
        if (shared := overlap(box, face.box)) >= SAME
    ]
    found: list[int | None] = [None] * len(boxes)
    taken: set[int] = set()
    for _, b, f in sorted(pairs, reverse=True):
        if found[-b] is None and -f not in taken:
            found[-b] = -f
            taken.add(-f)
    return found
