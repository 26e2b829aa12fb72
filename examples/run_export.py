"""Run what `facegender export` wrote, without facegender: only the engine, NumPy and Pillow.

    facegender export --format onnx --output gender_onnx      # or litert, with --int8 or without
    facegender predict photo.jpg --crops ./crops
    python examples/run_export.py gender_onnx crops/*.png

The photos must be crops already: `predict --crops` writes them, and the export's README has the
lines that cut a face out.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def load(folder: Path, facts: dict):
    """Return a function from crops, uint8 (n, height, width, 3), to probabilities (n, 2)."""
    model = str(folder / facts["model"])
    takes, gives = facts["input"]["name"], facts["output"]["name"]
    if facts["format"] == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return lambda crops: session.run([gives], {takes: crops})[0]
    if facts["format"] == "litert":
        from ai_edge_litert.interpreter import Interpreter

        run = Interpreter(model).get_signature_runner()
        return lambda crops: run(**{takes: crops})[gives]
    sys.exit(f"this example does not run {facts['format']}")


def main() -> None:
    """Answer every crop named on the command line."""
    folder, paths = Path(sys.argv[1]), sys.argv[2:]
    facts = json.loads((folder / "export.json").read_text("utf-8"))
    run = load(folder, facts)
    _, height, width, _ = facts["input"]["shape"]

    example = np.asarray(Image.open(folder / facts["example"]["file"]))
    expected = [facts["example"]["probabilities"][label] for label in facts["labels"]]
    assert np.allclose(run(example[None])[0], expected, atol=0.01), "the engine answers wrongly"

    crops = [Image.open(path).convert("RGB") for path in paths]
    for path, crop in zip(paths, crops, strict=True):
        if crop.size != (width, height):
            sys.exit(f"{path} is {crop.width}x{crop.height}, a crop is {width}x{height}")
    for path, answer in zip(paths, run(np.stack(crops)) if crops else (), strict=True):
        likelier = int(answer[1] >= 0.5)
        doubt = " (uncertain)" if answer[likelier] < facts["threshold"] else ""
        print(f"{path}: {facts['labels'][likelier]}, {answer[likelier]:.1%}{doubt}")


if __name__ == "__main__":
    main()
