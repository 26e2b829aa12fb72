"""The first search of a small photo: where it plainly shows a large upright face, the only one.

At half the scale a search costs a quarter, and its scores tell upright faces from turned ones
better. It misses faces narrower than 32 pixels, so it counts only where a large face is found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from facegender.faces.backends import Backend
from facegender.faces.geometry import Face
from facegender.faces.looks import OVERLAP, scaled_size, search_at, shared_part
from facegender.images.decode import Photo

LARGEST: Final = 420
"""Longest side of a photo that is searched so."""
SCALE: Final = 0.5
"""Of the scale at which the photo would be searched else."""
UPRIGHT: Final = 0.9
"""Scores from this on belong to upright faces: so scored 83 in 100 of FairFace's photos, and 1 of
1,600 faces that were turned by 45 degrees or more."""
LARGE: Final = 0.2
"""Least width of the face, as a share of the photo's longer side."""
TRACE: Final = 0.2
"""Least score of what may be another face."""


@dataclass(frozen=True, slots=True)
class FirstSearch:
    """What it found.

    Attributes:
        faces: in pixels of the photo.
        least: width from which a face counts, in pixels of the photo.
    """

    faces: list[Face]
    least: float

    @property
    def plain(self) -> list[Face]:
        """The one large upright face; none where there is another or a trace of one."""
        best = max(self.faces, key=lambda face: face.confidence, default=None)
        if best is None or best.confidence < UPRIGHT or best.box[2] < self.least:
            return []
        others = [face for face in self.faces if shared_part(face, best) <= OVERLAP]
        return [] if any(face.confidence >= TRACE for face in others) else [best]

    def shows_upright(self, face: Face) -> bool:
        """Whether it saw a face, and surely upright."""
        return any(
            seen.confidence >= UPRIGHT and shared_part(seen, face) > OVERLAP for seen in self.faces
        )


NOTHING: Final = FirstSearch([], math.inf)
"""Of a photo that is not searched so."""


def first_search(backend: Backend, photo: Photo, size: tuple[int, int]) -> FirstSearch:
    """Search a small photo at half the size at which it would be searched else.

    Args:
        backend: what looks.
        photo: to search; in one that is too large nothing is found.
        size: (width, height) at which it would be searched.
    """
    longer = max(photo.shape[:2])
    if longer > LARGEST:
        return NOTHING
    small = scaled_size(size, SCALE)
    least = max(LARGE * longer, backend.min_face * photo.shape[1] / small[0])
    return FirstSearch(search_at(backend, photo, small), least)
