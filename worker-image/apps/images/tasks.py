"""The tasks of the plain app; the work itself is in `pictures`."""

import pictures
from images.celery import app


@app.task(name="images.resize")
def resize(path: str, width: int, height: int | None = None) -> pictures.Picture:
    """Scale a picture; the height follows the width unless it is given."""
    return pictures.resize(path, width, height)


@app.task(name="images.watermark")
def watermark(path: str, text: str) -> pictures.Picture:
    """Write a text into the corner of a picture."""
    return pictures.watermark(path, text)


@app.task(name="images.grayscale")
def grayscale(path: str) -> pictures.Picture:
    """Take the colours out of a picture."""
    return pictures.grayscale(path)


@app.task(name="images.thumbnail")
def thumbnail(path: str, size: int) -> pictures.Picture:
    """Cut a square out of a picture and scale it."""
    return pictures.thumbnail(path, size)


@app.task(name="images.contact_sheet")
def contact_sheet(paths: list[str], width: int) -> pictures.Picture:
    """Put several pictures on one sheet: one call for all of them, and one result."""
    return pictures.contact_sheet(paths, width)
