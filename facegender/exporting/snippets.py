"""Python snippets for users of an export: how to crop a face and how to run the network."""

from __future__ import annotations

from facegender.faces.geometry import MIN_EYE_DISTANCE, Geometry

EXAMPLE = "example.png"
"""A synthetic picture of a crop's size with a known answer."""

_RUN = {
    "litert": """\
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

run = Interpreter("model.tflite").get_signature_runner()
crops = np.asarray(Image.open("example.png").convert("RGB"))[None]
for female, male in run(crops=crops)["output_0"]:
    print(f"female {female:.4f}, male {male:.4f}")
""",
    "onnx": """\
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
crops = np.asarray(Image.open("example.png").convert("RGB"))[None]
for female, male in session.run(["probabilities"], {"crops": crops})[0]:
    print(f"female {female:.4f}, male {male:.4f}")
""",
    "saved_model": """\
import numpy as np
import tensorflow as tf
from PIL import Image

model = tf.saved_model.load("saved_model")
crops = np.asarray(Image.open("example.png").convert("RGB"))[None]
answers = model.signatures["serving_default"](crops=tf.constant(crops))["probabilities"]
for female, male in answers.numpy():
    print(f"female {female:.4f}, male {male:.4f}")
""",
}

_CUT = {
    "photo": """\
import numpy as np
from PIL import Image, ImageOps


def cut_face(photo):
    # Crop the largest centred part of an upright RGB photo that has the crop's aspect ratio.
    return np.asarray(ImageOps.fit(photo, ({width}, {height}), Image.Resampling.BILINEAR))
""",
    "box": """\
import math

import numpy as np
from PIL import Image


def cut_face(photo, x, y, width, height):
    # Crop a face by its box, in pixels of an upright RGB photo.
    scale = {scale} * (width + height) / 2 / {longer}
    across, down = scale * {width}, scale * {height}
    edge = math.ceil(across + down)  # beyond the photo, its border is repeated
    wide = np.pad(np.asarray(photo), ((edge, edge), (edge, edge), (0, 0)), mode="edge")
    left, top = x + (width - across) / 2, y + (height - down) / 2
    right, bottom = left + across, top + down
    u, v = math.floor(left), math.floor(top)
    part = wide[v + edge : math.ceil(bottom) + edge, u + edge : math.ceil(right) + edge]
    box = (left - u, top - v, right - u, bottom - v)
    size = ({width}, {height})
    return np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BILINEAR, box=box))
""",
    "eyes": """\
import math

import numpy as np
from PIL import Image


def cut_face(photo, box, eyes):
    # Crop a face by its box (x, y, width, height) and its eyes, in pixels of an RGB photo.
    (x1, y1), (x2, y2) = sorted(eyes)
    (u1, v1), (u2, v2) = {eyes}  # their positions in the crop, in pixels
    distance = max(math.hypot(x2 - x1, y2 - y1), {least} * (box[2] + box[3]) / 2)
    scale = math.hypot(u2 - u1, v2 - v1) / distance  # for a profile, the box gives the scale
    small = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    pixels = np.asarray(photo.resize(small, Image.Resampling.BILINEAR))
    edge = {width} + {height}  # beyond the photo, its border is repeated
    wide = Image.fromarray(np.pad(pixels, ((edge, edge), (edge, edge), (0, 0)), mode="edge"))
    angle = math.atan2(y2 - y1, x2 - x1) - math.atan2(v2 - v1, u2 - u1)
    cos, sin, u, v = math.cos(angle), math.sin(angle), (u1 + u2) / 2, (v1 + v2) / 2
    x, y = scale * (x1 + x2) / 2 + edge, scale * (y1 + y2) / 2 + edge
    turn = (cos, -sin, x - cos * u + sin * v, sin, cos, y - sin * u - cos * v)
    size, affine = ({width}, {height}), Image.Transform.AFFINE
    return np.asarray(wide.transform(size, affine, turn, Image.Resampling.BICUBIC))
""",
}


def run_code(form: str) -> str:
    """Return the lines that run an export on its example."""
    return _RUN[form]


def cut_code(geometry: Geometry) -> str:
    """Return the lines that cut a face out as the model needs it."""
    width, height = geometry.size
    return _CUT[geometry.kind].format(
        width=width,
        height=height,
        longer=max(geometry.size),
        scale=f"{1 + geometry.margin:g}",
        eyes=tuple((round(u * width, 4), round(v * height, 4)) for u, v in geometry.eyes),
        least=MIN_EYE_DISTANCE,
    )
