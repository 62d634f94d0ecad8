"""Run while the image is built: trains the model that the example of predictions uses."""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

KNOWN = 1_497
"""Pictures of handwritten digits that the model learns; the other 300 are left to be recognised."""


def main(folder: Path) -> None:
    """Write the trained model into the folder."""
    digits = load_digits()
    model = KNeighborsClassifier(n_neighbors=3, n_jobs=1).fit(digits.data[:KNOWN], digits.target[:KNOWN])
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "digits.joblib")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
