"""Run while the image is built: every app loads and every kind of picture work gives the same file twice."""

from collections.abc import Callable
from functools import partial

from django.conf import settings
from sklearn.datasets import load_digits

import pictures
from demo import app as demo
from documents import app as documents
from images.celery import app as images
from mail import app as mail
from make_model import KNOWN
from make_pictures import PICTURES
from pages import app as pages
from predictions import app as predictions
from predictions import digits
from quotes import app as quotes
from rates import app as rates
from shop import celery_app as shop
from tickets import app as tickets

EXPECTED = {
    "images": {"images.contact_sheet", "images.grayscale", "images.resize", "images.thumbnail", "images.watermark"},
    "shop": {"gallery.tasks.grayscale", "gallery.tasks.resize", "gallery.tasks.watermark", "catalogue.tasks.set_price"},
    "mail": {"mail.invite", "mail.remind", "mail.report", "mail.send"},
    "pages": {"pages.fetch"},
    "quotes": {"quotes.bank", "quotes.by_symbol", "quotes.market", "quotes.paper"},
    "rates": {"rates.fetch"},
    "tickets": {"tickets.sort"},
    "documents": {"documents.entities", "documents.extract", "documents.load", "documents.sentiment"},
    "demo": {"numbers.add", "numbers.check", "numbers.sleep", "numbers.square", "numbers.square_all"},
    "predictions": {"predictions.digits"},
}


def check_tasks() -> None:
    """Each app knows exactly the tasks that it is meant to have, beside Celery's own."""
    for app in (images, shop, demo, documents, mail, pages, predictions, quotes, rates, tickets):
        app.loader.import_default_modules()
        found = {name for name in app.tasks if not name.startswith("celery.")}
        expected = EXPECTED[app.main]
        if not expected <= found:
            raise SystemExit(f"the app {app.main} lacks {sorted(expected - found)}")


def check_pictures() -> None:
    """The sizes are as asked for, and a second run gives the same bytes."""
    for name in PICTURES:
        check(partial(pictures.resize, name, 320), (320, 240))
        check(partial(pictures.thumbnail, name, 96), (96, 96))
        check(partial(pictures.watermark, name, "taskgroups.dev"), (640, 480))
        check(partial(pictures.grayscale, name), (640, 480))
    check(partial(pictures.contact_sheet, list(PICTURES[:3]), 160), (320, 240))


def check_predictions() -> None:
    """The model finds nearly all digits that it has not learned."""
    numbers = list(range(KNOWN, KNOWN + 300))
    right = load_digits().target[numbers]
    found = sum(one == other for one, other in zip(digits(numbers), right, strict=True))
    if found < 280:
        raise SystemExit(f"the model knows {found} of {len(numbers)} digits")


def check(work: Callable[[], pictures.Picture], size: tuple[int, int]) -> None:
    """Do the work twice and compare."""
    first, second = work(), work()
    if first != second or first["bytes"] == 0 or (first["width"], first["height"]) != size:
        raise SystemExit(f"{work} gave {first} and then {second}")


if __name__ == "__main__":
    check_tasks()
    check_pictures()
    check_predictions()
    if not settings.SECRET_KEY:
        raise SystemExit("the Django project has no secret key")
