"""An example app: the sections of a report on a day's orders, and one task that puts them together."""

import csv
from collections import Counter
from io import StringIO
from statistics import median

from celery import Celery

app = Celery("reports")

ORDERS = """\
hour,product,quantity,cents,returned
9,tea,2,450,no
9,coffee,1,1250,no
10,tea,1,450,yes
11,mug,3,900,no
11,coffee,2,1250,no
11,tea,4,450,no
14,mug,1,900,yes
15,coffee,1,1250,no
"""


def _orders() -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(ORDERS)))


def _kept() -> list[dict[str, str]]:
    return [order for order in _orders() if order["returned"] == "no"]


def _cents(order: dict[str, str]) -> int:
    return int(order["quantity"]) * int(order["cents"])


@app.task(name="reports.revenue")
def revenue(currency: str) -> dict[str, object]:
    """What was sold and kept."""
    return {"section": "revenue", "value": f"{sum(map(_cents, _kept())) / 100:.2f} {currency}"}


@app.task(name="reports.products")
def products() -> list[str]:
    """Every product that was sold."""
    return sorted({order["product"] for order in _orders()})


@app.task(name="reports.revenue_of")
def revenue_of(product: str, currency: str) -> dict[str, object]:
    """What was sold of one product and kept."""
    cents = sum(_cents(order) for order in _kept() if order["product"] == product)
    return {"section": product, "value": f"{cents / 100:.2f} {currency}"}


@app.task(name="reports.best_products")
def best_products(count: int) -> dict[str, object]:
    """The most sold ones."""
    sold = Counter[str]()
    for order in _kept():
        sold[order["product"]] += int(order["quantity"])
    return {"section": "best products", "value": [name for name, _ in sold.most_common(count)]}


@app.task(name="reports.busiest_hour")
def busiest_hour() -> dict[str, object]:
    """The hour with the most orders."""
    ((hour, orders),) = Counter(order["hour"] for order in _orders()).most_common(1)
    return {"section": "busiest hour", "value": f"{hour} o'clock, {orders} orders"}


@app.task(name="reports.median_order")
def median_order() -> dict[str, object]:
    """The order in the middle, by its price."""
    return {"section": "median order", "value": median(map(_cents, _orders())) / 100}


@app.task(name="reports.returns")
def returns() -> dict[str, object]:
    """Which part came back."""
    return {"section": "returns", "value": f"{100 * (len(_orders()) - len(_kept())) / len(_orders()):.0f} %"}


@app.task(name="reports.combine")
def combine(sections: list[dict[str, object]], title: str) -> dict[str, object]:
    """One report, its sections in the order in which they were asked for."""
    return {"title": title, **{str(section["section"]): section["value"] for section in sections}}
