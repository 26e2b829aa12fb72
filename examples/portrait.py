"""Write a portrait to try `facegender predict` on: NASA's of Eileen Collins, public domain.

    python examples/portrait.py portrait.png

It comes with scikit-image's wheel (``pip install 'facegender[demo]'``).
"""

import sys
from pathlib import Path

from PIL import Image
from skimage.data import astronaut


def main() -> None:
    """Write the portrait to the path given."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "portrait.png")
    Image.fromarray(astronaut()).save(target)
    print(f"Written: {target}")


if __name__ == "__main__":
    main()
