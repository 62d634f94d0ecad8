"""An example app: what customers write is sorted to the department that can help, the most urgent first.

A worker process numbers its answers, so that the order in which it worked can be read from the results.
"""

import re
from itertools import count

from celery import Celery

app = Celery("tickets")

DEPARTMENTS = {
    "billing": frozenset({"charged", "invoice", "money", "paid", "refund"}),
    "shipping": frozenset({"arrived", "broken", "delivery", "parcel", "late"}),
    "technical": frozenset({"crash", "error", "login", "password", "screen"}),
}
_answers = count(1)


@app.task(name="tickets.sort")
def sort(text: str) -> dict[str, object]:
    """The department whose words the text has most of, "general" when it has none; and how many were sorted by now."""
    words = re.findall(r"[a-z]+", text.lower())
    hits = {name: sum(word in known for word in words) for name, known in DEPARTMENTS.items()}
    best = max(hits, key=lambda name: hits[name])
    return {"department": best if hits[best] else "general", "number": next(_answers)}
