"""A Celery app whose tasks take their time and fail now and then, as a shop's do: something for dashboards to show."""

# Celery publishes no types.
# mypy: disallow-untyped-decorators=False

import time

from celery import Celery, Task

app = Celery("shop")
_SECONDS = 0.06


@app.task(name="shop.bill")
def bill(number: int) -> int:
    """Take between one and ten parts of a time, which depends on the number."""
    time.sleep(_SECONDS * (1 + number * 7 % 10))
    return number


@app.task(name="shop.price")
def price(number: int) -> int:
    """As `bill`; a few have no price."""
    bill.run(number)
    if number % 80 == 79:
        raise LookupError("there is no price")
    return number


@app.task(name="shop.resize")
def resize(number: int) -> int:
    """As `bill`; some pictures are missing, and fewer are broken."""
    bill.run(number)
    if number % 9 == 8:
        raise FileNotFoundError("there is no such picture")
    if number % 14 == 13:
        raise ValueError("the picture is cut off")
    return number


@app.task(name="shop.send", bind=True)
def send(self: Task, number: int) -> int:
    """As `bill`; the first attempt at some fails."""
    bill.run(number)
    if number % 5 == 4 and "~" not in self.request.id:
        raise ConnectionError("the mail server is busy")
    return number


@app.task(name="shop.bind")
def bind(*_: object) -> None:
    """There is no paper."""
    raise FileNotFoundError("there is no paper")
