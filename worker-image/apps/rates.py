"""An example app: rates of exchange from a service that takes only so many calls; it has no pace of its own."""

import json
from urllib.request import urlopen

from celery import Celery

app = Celery("rates")


@app.task(name="rates.fetch")
def fetch(currency: str) -> dict[str, object]:
    """The rate of one currency; HTTPError when the service refuses the call."""
    with urlopen(f"http://quota/{currency}", timeout=20) as answer:
        return {"currency": currency, "rate": json.load(answer)["rate"]}
