"""An example app: handwritten digits, recognised by a scikit-learn model, many pictures in one call."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import joblib
from celery import Celery
from sklearn.datasets import load_digits

app = Celery("predictions")

MODELS = Path(os.environ.get("MODELS", "/opt/models"))


@cache
def model() -> Any:
    """Loaded once in each process, which takes longer than many predictions."""
    return joblib.load(MODELS / "digits.joblib")


@cache
def pictures() -> Any:
    """The pictures by number, as rows of 64 grey values; they stand for files on a volume."""
    return load_digits().data


@app.task(name="predictions.digits")
def digits(numbers: list[int]) -> list[int]:
    """The digit on each of the pictures with these numbers, in their order."""
    return [int(digit) for digit in model().predict(pictures()[numbers])]
