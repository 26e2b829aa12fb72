"""How many faces does the detector find, how many things does it take for faces, how fast is it?

    python tests/benchmarks/finder.py DATA [--engine libfacedetection] [--engine mtcnn]

DATA holds photos/ (120 portraits) and fairface/val/ (5,000 tight crops); pictures without a face
are made from those that scikit-image and scikit-learn bring. Prints a line an engine; the ratio
is its time for a portrait against that of the first engine.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from pictures import without_faces

from facegender.faces.backends import BACKENDS, default_backend
from facegender.faces.detection import FaceDetector
from facegender.images.decode import decode_photo

BOXES = Path(__file__).parents[1] / "real" / "portraits.json"


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    (x, y, w, h), (u, v, p, q) = one, other
    across = max(0.0, min(x + w, u + p) - max(x, u))
    down = max(0.0, min(y + h, v + q) - max(y, v))
    return across * down / (w * h + p * q - across * down)


def pixels(path: Path) -> np.ndarray:
    return decode_photo(path.read_bytes()).pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--engine", action="append", choices=list(BACKENDS))
    options = parser.parse_args()
    boxes = json.loads(BOXES.read_text())
    portraits = [(pixels(options.data / "photos" / name), box) for name, box in boxes.items()]
    crops = [pixels(path) for path in sorted((options.data / "fairface/val").rglob("*.jpg"))]
    things = list(without_faces())
    first = None
    for engine in options.engine or [default_backend()]:
        detector = FaceDetector(engine)
        detector(portraits[0][0])  # loads it
        began = time.perf_counter()
        found = [detector(photo) for photo, _ in portraits]
        per_photo = (time.perf_counter() - began) / len(portraits)
        first = first or per_photo
        hits = sum(
            any(overlap(face.box, box) >= 0.4 for face in faces)
            for faces, (_, box) in zip(found, portraits, strict=True)
        )
        extra = sum(map(len, found)) - hits
        tight = sum(bool(detector(crop)) for crop in crops)
        claimed = sum(bool(detector(thing)) for thing in things)
        print(
            f"{engine}: portraits {hits}/{len(portraits)} (and {extra} other faces), tight crops "
            f"{tight}/{len(crops)} ({100 * tight / len(crops):.2f} %), a face claimed in {claimed} "
            f"of {len(things)} pictures without one; {1000 * per_photo:.1f} ms a portrait, "
            f"ratio {per_photo / first:.2f}"
        )


if __name__ == "__main__":
    main()
