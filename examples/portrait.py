"""Write a portrait to try `facegender predict` on: NASA's of Eileen Collins, public domain.

    python examples/portrait.py portrait.png

It comes with scikit-image's wheel (``pip install 'facegender[demo]'``). The photo is cut to the
face, since a photo is taken as one face.
"""

import sys
from pathlib import Path

from PIL import Image
from skimage.data import astronaut


def main() -> None:
    """Write the portrait to the path given."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "portrait.png")
    left, top, side = 160, 53, 130  # the face and a quarter around it, as in FairFace
    face = astronaut()[top : top + side, left : left + side]
    Image.fromarray(face).save(target)
    print(f"Written: {target}")


if __name__ == "__main__":
    main()
