"""Looks: what one picture, or a part of one, shows to a backend."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
from PIL import Image

from facegender.faces.backends import Backend
from facegender.faces.geometry import Face, cut_out
from facegender.images.decode import Photo

LOOK: Final = 1.7
LOOK_SIDE: Final = 128
"""The second look: a window of so many boxes' sides around the face, at so many pixels."""
TILE: Final = 1280
TILE_OVERLAP: Final = 160
"""A finer search goes by tiles of so many pixels, so that its memory stays small; faces that are
larger than what tiles share were found before."""
RETRY_SIDE: Final = 160
"""A photo without a face is tried once more as one tight face: small, with a margin around it."""
FILLS: Final = 0.4
"""Least share of each side that a face takes which fills a photo; its middle lies at most a
quarter of a side off the photo's."""
OVERLAP: Final = 0.6
"""Of two faces that share more than this part of the smaller one, the less sure one is dropped."""


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return a (width, height) scaled down; a scale above 1 changes nothing."""
    if scale >= 1:
        return size
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def search_at(backend: Backend, photo: Photo, size: tuple[int, int]) -> list[Face]:
    """Run the backend on the photo scaled to (width, height); faces in pixels of the photo."""
    height, width = photo.shape[:2]
    if size == (width, height):
        return backend(photo)
    # Reducing by whole numbers first is several times as fast and changes nothing to see.
    small = Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    across, down = width / size[0], height / size[1]
    return [face.scaled(across, down) for face in backend(np.asarray(small))]


def search_in_tiles(backend: Backend, photo: Photo, size: tuple[int, int]) -> list[Face]:
    """Run the backend on tiles of the photo scaled to (width, height); in pixels of the photo."""
    height, width = photo.shape[:2]
    small = Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    across, down = width / size[0], height / size[1]
    step = TILE - TILE_OVERLAP
    found: list[Face] = []
    for top in range(0, max(1, size[1] - TILE_OVERLAP), step):
        for left in range(0, max(1, size[0] - TILE_OVERLAP), step):
            right, bottom = min(left + TILE, size[0]), min(top + TILE, size[1])
            tile = backend(np.asarray(small.crop((left, top, right, bottom))))
            found += [face.moved(left, top).scaled(across, down) for face in tile]
    return found


def search_with_margin(backend: Backend, photo: Photo, share: float, border: str) -> list[Face]:
    """Look at a small copy with a margin around it, and at its mirror image."""
    height, width = photo.shape[:2]
    size = scaled_size((width, height), RETRY_SIDE / max(width, height))
    small = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR))
    margin = math.ceil(share * max(size))
    around = ((margin, margin), (margin, margin), (0, 0))
    padded = np.pad(small, around, mode="edge" if border == "edge" else "constant")
    found = backend(padded)
    found += [mirrored_face(face, padded.shape[1]) for face in backend(padded[:, ::-1])]
    faces = [face.moved(-margin, -margin) for face in found]
    return [face.scaled(width / size[0], height / size[1]) for face in faces]


def second_look(backend: Backend, photo: Photo, face: Face) -> Face:
    """Look at one face alone and at its mirror image, at a size that suits the backend.

    The better of these, or the first score if that is lower, is the face's score.
    """
    x, y, width, height = face.box
    side = LOOK * (width + height) / 2
    left, top = x + (width - side) / 2, y + (height - side) / 2
    window = cut_out(photo, (left, top, side, side), (LOOK_SIDE, LOOK_SIDE), fill="constant")
    scale = side / LOOK_SIDE
    again = backend(window) + [
        mirrored_face(found, LOOK_SIDE) for found in backend(window[:, ::-1])
    ]
    placed = (found.scaled(scale, scale).moved(left, top) for found in again)
    score = max(
        (found.confidence for found in placed if shared_part(found, face) > OVERLAP), default=0.0
    )
    return replace(face, score=min(score, face.confidence))


def mirrored_face(face: Face, side: int) -> Face:
    """A face of a mirrored picture of that width, where it is in the picture itself."""
    x, y, width, height = face.box
    points = face.landmarks
    if (
        points is not None
    ):  # in a mirror the right eye is the left one, and so is the mouth's corner
        points = tuple((side - u, v) for u, v in (points[i] for i in (1, 0, 2, 4, 3)))
    return replace(face, box=(side - x - width, y, width, height), landmarks=points)


def lies_inside(face: Face, size: tuple[int, int]) -> bool:
    """Whether the middle of a face lies in the photo."""
    x, y, width, height = face.box
    return 0 <= x + width / 2 <= size[0] and 0 <= y + height / 2 <= size[1]


def fills(face: Face, size: tuple[int, int]) -> bool:
    """Whether a face takes most of a photo, and its middle."""
    x, y, width, height = face.box
    across, down = (x + width / 2) / size[0], (y + height / 2) / size[1]
    large = width > FILLS * size[0] and height > FILLS * size[1]
    return large and max(abs(across - 0.5), abs(down - 0.5)) < 0.25


def shared_part(one: Face, other: Face) -> float:
    """Part of the smaller of two boxes that both cover, 0 to 1."""
    (x, y, w, h), (u, v, p, q) = one.box, other.box
    across = max(0.0, min(x + w, u + p) - max(x, u))
    down = max(0.0, min(y + h, v + q) - max(y, v))
    return across * down / max(min(w * h, p * q), 1e-9)
