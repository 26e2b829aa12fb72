"""Use facegender as a library: print what it says of the photos named.

python examples/predict_in_python.py a.jpg b.jpg
"""

import sys

from facegender import Predictor


def main() -> None:
    """Predict every photo named on the command line."""
    predictor = Predictor()
    for prediction in predictor.predict(sys.argv[1:]):
        if prediction.error is not None:
            print(f"{prediction.path}: {prediction.error}")
        for face in prediction.faces:
            doubt = " (uncertain)" if face.uncertain else ""
            print(f"{prediction.path}: {face.name}, {max(face.probabilities):.1%}{doubt}")


if __name__ == "__main__":
    main()
