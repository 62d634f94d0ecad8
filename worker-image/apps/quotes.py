"""An example app: what three sources say of a price, each in a format of its own, and the middle of the three."""

import csv
import io
import json
from collections import defaultdict
from decimal import Decimal
from statistics import median

from celery import Celery

app = Celery("quotes")

BANK = "symbol;bid;ask\nTEA;9.98;10.02\nCUP;4.10;4.20\nPOT;21.50;21.90\n"
MARKET = "09:00 TEA 9.90\n09:10 CUP 4.05\n16:50 POT 22.00\n17:30 TEA 10.04\n"
PAPER = '{"TEA": "10.00", "CUP": "4.16", "POT": "19.95"}'
"""The sources of the day; they stand for three services."""


@app.task(name="quotes.bank")
def bank(symbol: str) -> dict[str, str]:
    """The middle of bid and ask."""
    for row in csv.DictReader(io.StringIO(BANK), delimiter=";"):
        if row["symbol"] == symbol:
            return _price(symbol, (Decimal(row["bid"]) + Decimal(row["ask"])) / 2)
    raise LookupError(f"the bank knows no {symbol}")


@app.task(name="quotes.market")
def market(symbol: str) -> dict[str, str]:
    """The last trade of the day."""
    trades = [line.split() for line in MARKET.splitlines()]
    prices = [Decimal(price) for _, traded, price in trades if traded == symbol]
    if not prices:
        raise LookupError(f"the market knows no {symbol}")
    return _price(symbol, prices[-1])


@app.task(name="quotes.paper")
def paper(symbol: str) -> dict[str, str]:
    """What the newspaper printed."""
    return _price(symbol, Decimal(json.loads(PAPER)[symbol]))


def _price(symbol: str, price: Decimal) -> dict[str, str]:
    return {"symbol": symbol, "price": f"{price:.2f}"}


@app.task(name="quotes.by_symbol")
def by_symbol(prices: list[dict[str, str]]) -> dict[str, str]:
    """The middle one of the prices of each symbol."""
    found = defaultdict[str, list[Decimal]](list)
    for each in prices:
        found[each["symbol"]].append(Decimal(each["price"]))
    return {symbol: f"{median(several):.2f}" for symbol, several in found.items()}
