"""The gallery's tasks; their names are gallery.tasks.resize and so on, as Celery derives them."""

from celery import shared_task

import pictures


@shared_task
def resize(path: str, width: int, height: int | None = None) -> pictures.Picture:
    """Scale a picture; the height follows the width unless it is given."""
    return pictures.resize(path, width, height)


@shared_task
def watermark(path: str, text: str) -> pictures.Picture:
    """Write a text into the corner of a picture."""
    return pictures.watermark(path, text)


@shared_task
def grayscale(path: str) -> pictures.Picture:
    """Take the colours out of a picture."""
    return pictures.grayscale(path)
