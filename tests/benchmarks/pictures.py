"""Pictures without a face, made the same on every machine from those that packages bring."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NAMES = (
    "brick.png",
    "cell.png",
    "chelsea.png",
    "chessboard_RGB.png",
    "clock_motion.png",
    "coffee.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "horse.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
"""Of scikit-image; a cat is among them."""
BESIDES = ("china.jpg", "flower.jpg")
"""Of scikit-learn."""


def without_faces(count: int = 200) -> Iterator[NDArray[np.uint8]]:
    """Yield uint8 RGB pictures: whole ones, parts of them at other sizes, and made textures."""
    rng = np.random.default_rng(0)
    sources = _sources()
    for number in range(count):
        if number < len(sources):
            yield np.asarray(sources[number])
        elif number % 4:
            yield np.asarray(_part(sources[number % len(sources)], rng))
        else:
            yield _texture(rng)


def _sources() -> list[Image.Image]:
    import skimage.data
    from sklearn.datasets import load_sample_image

    found = [Image.open(f"{skimage.data.__path__[0]}/{name}").convert("RGB") for name in NAMES]
    return found + [Image.fromarray(load_sample_image(name)) for name in BESIDES]


def _part(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = int(rng.uniform(0.3, 0.9) * min(image.size))
    x, y = (int(rng.integers(0, length - side + 1)) for length in image.size)
    out = int(rng.integers(64, 800))
    part = image.crop((x, y, x + side, y + side)).resize((out, out))
    return part.rotate(float(rng.choice([0, 90, 180, 270])))


def _texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Noise of several sizes laid over each other, as clouds are."""
    height, width = (int(side) for side in rng.integers(64, 800, 2))
    picture = np.zeros((height, width, 3))
    for cells in (4, 16, 64):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        picture += np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC)) / 3
    return picture.astype(np.uint8)
