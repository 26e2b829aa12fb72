"""How many faces are answered right when photos are turned? A line an angle.

    python tests/benchmarks/turned_faces.py PHOTOS [--every 15] [--share 1] [--fill edge]

PHOTOS holds female/ and male/. Each photo is turned counterclockwise by every multiple of so many
degrees, onto a larger canvas, and predicted by the bundled model. "right" counts photos whose
largest face got the right label, "wrong and sure" those with a wrong one that is not uncertain.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from facegender import Predictor
from facegender.models.default_model import BUNDLED

FILLS = {"grey": (128, 128, 128), "black": (0, 0, 0), "white": (255, 255, 255)}


def turned(photo: Image.Image, angle: float, fill: str) -> np.ndarray:
    """Turn a photo counterclockwise by degrees; right angles are exact."""
    if angle % 90 == 0:
        return np.rot90(np.asarray(photo), int(angle // 90)).copy()
    if fill != "edge":
        colour = FILLS[fill]
        return np.asarray(photo.rotate(angle, Image.Resampling.BICUBIC, True, fillcolor=colour))
    margin = max(photo.size)
    around = ((margin, margin), (margin, margin), (0, 0))
    padded = Image.fromarray(np.pad(np.asarray(photo), around, mode="edge"))
    whole = padded.rotate(angle, Image.Resampling.BICUBIC)
    side = photo.rotate(angle, expand=True).size
    left, top = (whole.width - side[0]) // 2, (whole.height - side[1]) // 2
    return np.asarray(whole.crop((left, top, left + side[0], top + side[1])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--every", type=int, default=15)
    parser.add_argument("--share", type=int, default=1, help="take every so many photos")
    parser.add_argument("--fill", choices=["edge", *FILLS], default="grey")
    options = parser.parse_args()
    predictor = Predictor(BUNDLED, workers=1)
    paths = sorted(options.photos.glob("*/*.jpg"))[:: options.share]
    photos = [(Image.open(p).convert("RGB"), p.parent.name) for p in paths]
    print("angle  right  no face  wrong and sure  uncertain  ms a photo  roll off by (median)")
    for angle in range(0, 360, options.every):
        count, off = Counter[str](), []
        began = time.process_time()
        for photo, name in photos:
            (answer,) = predictor.predict(turned(photo, angle, options.fill))
            if not answer.faces:
                count["no face"] += 1
                continue
            face = answer.faces[0]
            count["right"] += face.name == name
            count["wrong and sure"] += face.name != name and not face.uncertain
            count["uncertain"] += face.uncertain
            roll = getattr(face.face, "roll", None)
            if roll is not None:
                off.append(abs((roll + angle + 180) % 360 - 180))
        cost = 1000 * (time.process_time() - began) / len(photos)
        shares = (
            f"{100 * count[what] / len(photos):.1f} %"
            for what in ("right", "no face", "wrong and sure", "uncertain")
        )
        print(
            f"{angle:5}  {'  '.join(shares)}  {cost:.0f}  {np.median(off) if off else -1:.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
