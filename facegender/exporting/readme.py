"""The README of an export: how to run it without facegender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegender.exporting.snippets import EXAMPLE, cut_code, run_code
from facegender.faces.geometry import Geometry
from facegender.models.card import LIMITS_OF_USE

_NOTES = {
    "litert": "In other languages: set the input's shape to (n, {height}, {width}, 3), allocate "
    "tensors, fill the only input, invoke, read the only output.",
    "onnx": "Every engine that reads ONNX of opset 17 runs it.",
    "saved_model": "TensorFlow Serving takes the folder `saved_model` under a number: "
    "`MODEL_NAME/1/`.",
}

_CUTTING = {
    "photo": "The whole photo is taken as one face; no detector is needed.",
    "box": "The crop is a square around the detector's box, enlarged by {margin:g} of its side "
    "(and cut to the crop's aspect ratio).",
    "eyes": "The photo is rotated, scaled and shifted so that the eyes are at {places} of the "
    "crop's width and height.",
}


def render_readme(export: Mapping[str, Any]) -> str:
    """Return the README of an export as Markdown.

    Args:
        export: the content of its export.json.
    """
    geometry = Geometry.from_json(export["crop"])
    parts = [_head(export, geometry), _cutting(export, geometry), _agreement(export)]
    parts += [["## What must not be done with it", "", LIMITS_OF_USE], _source(export)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(export: Mapping[str, Any], geometry: Geometry) -> list[str]:
    form, inputs, output = export["format"], export["input"], export["output"]
    width, height = geometry.size
    return [
        f"# A facegender model for {export['engine']['name']}",
        "",
        "Estimates the *perceived* gender of a face. facegender is not needed to run it.",
        "",
        "```python",
        run_code(form).rstrip(),
        "```",
        "",
        f"This prints `{_answer(export['example']['probabilities'])}` (`{EXAMPLE}` is a synthetic "
        "picture, not a face). " + _NOTES[form].format(width=width, height=height),
        "",
        f"- Input `{inputs['name']}`: uint8, (n, {height} rows, {width} columns, 3), RGB from 0 to "
        "255, in batches of any size. Do not scale the values: the network does.",
        f"- Output `{output['name']}`: float32, (n, 2): the probability of female, then of male. "
        "They sum to 1.",
        "- Decide at one half: male from 0.5 on. Below a probability of "
        f"{export['threshold']:g} for the likelier gender call the face uncertain.",
        "- `export.json` has the same for programs, with the size and SHA-256 of every file.",
    ]


def _cutting(export: Mapping[str, Any], geometry: Geometry) -> list[str]:
    places = " and ".join(f"({u:g}, {v:g})" for u, v in geometry.eyes)
    lines = [
        "## How to crop the face",
        "",
        "A face that is cropped differently is misclassified more often. "
        + _CUTTING[geometry.kind].format(margin=geometry.margin, places=places),
        "",
        "```python",
        cut_code(geometry).rstrip(),
        "```",
        "",
        "Turn the photo upright first: `ImageOps.exif_transpose(Image.open(path)).convert('RGB')`.",
    ]
    if geometry.finds:
        detector = export["finder"]
        lines[-1] += (
            f" The model was trained on boxes of the detector {detector}; those of another may "
            "be wider or tighter: compare some crops with those of "
            "`facegender predict PHOTO --crops DIR`."
            if detector
            else " Compare some crops with those of `facegender predict PHOTO --crops DIR`."
        )
    return lines


def _agreement(export: Mapping[str, Any]) -> list[str]:
    found, engine = export["comparison"], export["engine"]
    lines = [
        "## Agreement with the original model",
        "",
        f"Run by {engine['name']} {engine['version']} on {found['crops']:,} {found['on']}, its "
        f"probabilities differ from the Keras model's by at most {found['largest_difference']:.2g} "
        f"({found['mean_difference']:.2g} on average). Changed labels: {found['flips']:,}.",
    ]
    if export["int8"]:
        ranges = export["calibration"]
        how = f"calibrated with {ranges['crops']:,} other faces" if ranges else "as it was trained"
        lines[-1] += f" Its weights and activations are int8, {how}; input and output are as above."
    return lines


def _source(export: Mapping[str, Any]) -> list[str]:
    source = export["source"]
    text = (
        f"Made by facegender {source['facegender']} from the model with the fingerprint "
        f"{source['fingerprint']} ({source['arch']})."
    )
    return [text + (f" {source['credit']}" if source["credit"] else "")]


def _answer(probabilities: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {p:.4f}" for name, p in probabilities.items())
