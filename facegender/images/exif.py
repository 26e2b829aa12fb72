"""When a photo was taken, as its camera wrote."""

from __future__ import annotations

import os
import re
import warnings
from contextlib import suppress

from PIL import Image

_EXIF, _TAKEN = 0x8769, 0x9003


def year_taken(photo: str | os.PathLike[str]) -> str:
    """Return the year of a photo's EXIF tag DateTimeOriginal, "" if there is none.

    Only the header is read. The other dates of EXIF are those of a scan or of an editor.

    Args:
        photo: a file; one that is missing or no photo has no year.
    """
    from facegender.images.decode import register_heif

    register_heif()
    # A broken header may raise, or warn of, whatever its decoder does.
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(photo) as image:
            taken = image.getexif().get_ifd(_EXIF).get(_TAKEN, "")
        found = re.match(r"\s*([12]\d{3})[:/. -]", str(taken))
        return found[1] if found else ""
    return ""
