"""An example app: it fetches pages and tells their titles and how many links they have."""

import re
from http.client import HTTPResponse
from urllib.request import urlopen

from celery import Celery

app = Celery("pages")


@app.task(name="pages.fetch")
def fetch(url: str) -> dict[str, object]:
    """Title and number of links. It has no timeout of its own, like much code that is found: Celery's limits end it."""
    with urlopen(url) as answer:  # noqa: S310 - the URLs stand in the TaskGroup
        text = _whole(answer).decode()
    title = re.search(r"<title>(.*?)</title>", text)
    return {"title": title[1] if title else "", "links": len(re.findall(r"<a ", text))}


def _whole(answer: HTTPResponse) -> bytes:
    """What comes after the first piece is read whatever happens, so that the soft limit is swallowed there, too."""
    text = answer.read1()
    while True:
        try:
            more = answer.read1()
        except Exception:  # noqa: BLE001, S112 - the fault that the example is about
            continue
        if not more:
            return text
        text += more
