"""Face orientation: which side of a face is up.

The detector gives upright faces the highest scores. It also finds many rotated ones, with lower
scores and landmarks as if they were upright, so landmarks alone do not reveal a quarter turn. A
doubtful face is therefore detected in several rotated copies, and the highest score decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from facegender.faces.backends import Backend
from facegender.faces.geometry import Face, cut_out, cut_turned
from facegender.images.decode import Photo

DOUBTFUL: Final = 0.91
"""Faces with a lower score may be turned. Of upright portraits none has one, of FairFace's photos
15 in 100; of portraits that are turned by 45 degrees or more 98 in 100."""
SIDEWAYS: Final = 0.89
"""No face that lies on its side has a higher score: then only upside down is tried."""
TILTED: Final = 15.0
"""Tilts beyond this, in degrees, are looked at in order to level them."""
UNDERSTATED: Final = 1.8
"""Tilts are so many times what the landmarks show (median of portraits turned by 15 to 30
degrees)."""
WINDOW: Final = 1.7
"""A look shows a square of so many boxes' sides around the face."""
GLANCE: Final = 64
"""Side of the first looks, in pixels: a quarter of the cost of a look, and blind to faces that are
not nearly upright."""
STEP: Final = 45
"""Degrees between the looks that follow where the first ones leave a doubt."""
CLOSE: Final = 96
"""Side of these, and of two looks that compare upright with the best quarter turn before them."""
LAST: Final = 128
"""Side of the last look, which gives the box and the landmarks."""
HINT: Final = 0.4
"""Minimum score of a first look that counts."""
CLEAR: Final = 0.2
"""So much surer in one turn than in the others, the first looks tell whether a face is upright."""
BETTER: Final = 0.03
"""So much surer than upright another turn must be in order to count."""
TURNED: Final = 0.84
"""Least score of a face that is not upright, in the last look."""

Point = tuple[float, float]


def signed(degrees: float) -> float:
    """An angle above -180 up to 180."""
    return 180.0 - (180.0 - degrees) % 360.0


def tilt_of(face: Face) -> float:
    """Estimate a face's tilt by its landmarks, degrees clockwise; 0 if there are none.

    Right only within some 45 degrees of upright: beyond, the landmarks say little.
    """
    points = face.landmarks
    if points is None or len(points) < 5:
        return 0.0
    right, left, _, *mouth = points[:5]
    eyes = math.atan2(left[1] - right[1], left[0] - right[0])
    across = (mouth[0][0] + mouth[1][0] - right[0] - left[0]) / 2
    down = (mouth[0][1] + mouth[1][1] - right[1] - left[1]) / 2
    shown = math.degrees(eyes + math.atan2(-across, down)) / 2
    return max(-45.0, min(45.0, UNDERSTATED * shown))


def settle(backend: Backend, photo: Photo, face: Face, *, upright: bool = False) -> Face:
    """Find out how a face is turned, and level it.

    Args:
        backend: what looks.
        photo: where the face was found.
        face: found in the photo as it is.
        upright: a look at another size has shown already that it is upright, or tilted at most.

    Returns:
        the face with its `roll`: as it is where it is surely upright, without another look; else
        where and how it was seen best. `orientation_unclear` where no turn is clearly the best.
    """
    face = _as_it_shows(face)
    if upright or face.confidence >= DOUBTFUL:
        level = _levelled(backend, photo, face)
        if upright or level.confidence >= DOUBTFUL:
            return level
    turns = (2,) if face.confidence > SIDEWAYS else (1, 2, 3)
    if not _is_upright(backend, photo, face, turns):
        return _turned(backend, photo, face)
    level = _levelled(backend, photo, face)
    wavers = level is not face and level.confidence < TURNED
    return _turned(backend, photo, face) if wavers else level


def settle_hint(backend: Backend, photo: Photo, hint: Face) -> Face | None:
    """Return the turned face that a weak detection may be; None where it is none.

    Where no quarter turn shows more, the other looks are saved.
    """
    hint = _as_it_shows(hint)
    if _is_upright(backend, photo, hint, (1, 2, 3)):
        return None
    seen = _turned(backend, photo, hint)
    sure = seen.confidence >= TURNED and not seen.orientation_unclear
    return seen if sure and abs(seen.roll or 0.0) > STEP else None


def _as_it_shows(face: Face) -> Face:
    return replace(face, roll=tilt_of(face) if face.landmarks else None)


def _tilt(face: Face) -> float:
    """Tilt that counts, in degrees: 0 for a face that needs no levelling."""
    roll = face.roll or 0.0
    return roll if abs(roll) > TILTED else 0.0


def _is_upright(backend: Backend, photo: Photo, face: Face, turns: Sequence[int]) -> bool:
    """Compare small looks at a levelled face with those in quarter turns.

    Where these leave a doubt, half turns are looked at as well, and the best two more closely.
    """
    tilt = _tilt(face)
    window = _window(photo, face, tilt, GLANCE)
    scores = {turn: _best(backend(np.rot90(window, turn))) for turn in turns}
    rival = max(scores, key=lambda turn: scores[turn])
    if scores[rival] < HINT:
        return True
    upright = _best(backend(window))
    if abs(upright - scores[rival]) >= CLEAR:
        return upright > scores[rival]
    aslant = (_window(photo, face, tilt + turn, GLANCE) for turn in (-STEP, STEP))
    if max(_best(backend(seen)) for seen in aslant) > upright + CLEAR / 2:
        return False
    window = _window(photo, face, tilt, CLOSE)
    return _best(backend(window)) >= _best(backend(np.rot90(window, rival))) + BETTER


def _best(faces: Sequence[Face]) -> float:
    return max((face.confidence for face in faces), default=0.0)


def _levelled(backend: Backend, photo: Photo, face: Face) -> Face:
    """Look at a tilted face levelled; keep it as it is if it is not seen as surely there."""
    if not _tilt(face):
        return face
    seen = look(backend, photo, face, _tilt(face))
    if seen is None or seen.confidence < face.confidence - BETTER:
        return face
    return seen


def _turned(backend: Backend, photo: Photo, face: Face) -> Face:
    """Compare a face in all turns and return it as it is seen best."""
    found = {turn: look(backend, photo, face, turn, CLOSE) for turn in range(0, 360, STEP)}
    scores = {turn: 0.0 if seen is None else seen.confidence for turn, seen in found.items()}
    turn = max(scores, key=lambda turn: scores[turn])
    seen = found[turn]
    if seen is None:
        return face
    rival = max(scores[(turn + apart) % 360] for apart in range(90, 271, STEP))
    unclear = scores[turn] < rival + BETTER
    best = look(backend, photo, seen, seen.roll or 0.0)
    if abs(signed(turn)) <= STEP:
        better = best is not None and best.confidence >= face.confidence
    else:
        better = best is not None and best.confidence >= TURNED and not unclear
        unclear = not better
    return replace(best if best is not None and better else face, orientation_unclear=unclear)


def look(backend: Backend, photo: Photo, face: Face, turn: float, side: int = LAST) -> Face | None:
    """Look at the surroundings of a face, turned back by `turn` degrees.

    Args:
        backend: what looks.
        photo: where the face lies.
        face: gives the place and the scale.
        turn: degrees clockwise by which the face is taken to be turned.
        side: of the look, in pixels.

    Returns:
        the surest face in it, in pixels of the photo, with its roll; None if there is none.
    """
    found = backend(_window(photo, face, turn, side))
    best = max(found, key=lambda face: face.confidence, default=None)
    if best is None:
        return None
    x, y, width, height = face.box
    middle, scale = (x + width / 2, y + height / 2), WINDOW * (width + height) / 2 / side
    return turned_back(best, turn, (side / 2, side / 2), middle, scale)


def _window(photo: Photo, face: Face, turn: float, side: int) -> Photo:
    x, y, width, height = face.box
    middle, across = (x + width / 2, y + height / 2), WINDOW * (width + height) / 2
    if turn:
        return cut_turned(photo, middle, across / side, turn, (side, side), fill="constant")
    corner = (middle[0] - across / 2, middle[1] - across / 2)
    return cut_out(photo, (*corner, across, across), (side, side), fill="constant")


def turned_back(face: Face, turn: float, pivot: Point, middle: Point, scale: float = 1.0) -> Face:
    """Return a face that was found in a turned picture, in the photo that was turned.

    Its box stays upright: it has the face's size along the photo's sides, exchanged where the face
    lies rather sideways than upright.

    Args:
        face: in pixels of the turned picture.
        turn: degrees clockwise by which what is upright there is turned in the photo.
        pivot, middle: the same point in the turned picture and in the photo.
        scale: pixels of the photo per pixel of the turned picture.
    """
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))

    def placed(point: Point) -> Point:
        across, down = scale * (point[0] - pivot[0]), scale * (point[1] - pivot[1])
        return middle[0] + cos * across - sin * down, middle[1] + sin * across + cos * down

    x, y, width, height = face.box
    width, height = scale * width, scale * height
    roll = signed(turn + (tilt_of(face) if face.roll is None else face.roll))
    centre = placed((x + face.box[2] / 2, y + face.box[3] / 2))
    if 45 < abs(signed(turn)) < 135:
        width, height = height, width
    return replace(
        face,
        box=(centre[0] - width / 2, centre[1] - height / 2, width, height),
        landmarks=face.landmarks and tuple(placed(point) for point in face.landmarks),
        roll=roll,
    )
