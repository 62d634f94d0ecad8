"""An example app: what is said in documents, one step after another; each step gets the result of the one before."""

import re
from html.parser import HTMLParser

from celery import Celery

app = Celery("documents")

DOCUMENTS = {
    "harbor.html": """<html><head><title>Harbor</title><style>p {color: red}</style></head><body>
        <p>The new ferry of Nordlinie is a great success.</p>
        <p>Travellers from Hamburg praise the friendly crew &amp; the good coffee.</p></body></html>""",
    "bridge.html": """<html><head><title>Bridge</title></head><body>
        <p>The bridge near Lindau is closed again.</p>
        <p>Baukontor calls the damage bad, and drivers are angry about the poor signs.</p></body></html>""",
    "market.html": """<html><head><title>Market</title></head><body>
        <p>On Friday the market in Bergen opens at eight.</p></body></html>""",
    "museum.html": """<html><head><title>Museum</title><script>track("bad")</script></head><body>
        <p>A great evening in Lindau: Anna Berg and the good old organ. Only the seats are poor.</p></body></html>""",
}
"""The pages, by name; they stand for files on a volume."""
GOOD = frozenset({"friendly", "good", "great", "praise", "success"})
BAD = frozenset({"angry", "bad", "closed", "damage", "poor"})
_SKIPPED = frozenset({"script", "style", "title"})
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][a-z]+(?: [A-Z][a-z]+)*")


class _Text(HTMLParser):
    """Collects what a reader sees, and the title apart."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.parts: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember where the text that follows stands."""
        del attrs
        self._tag = tag

    def handle_endtag(self, tag: str) -> None:
        """What follows is in no skipped tag any more."""
        del tag
        self._tag = ""

    def handle_data(self, data: str) -> None:
        """A piece of text."""
        if self._tag == "title":
            self.title = data
        elif self._tag not in _SKIPPED:
            self.parts.append(data)


@app.task(name="documents.load")
def load(name: str) -> str:
    """The page as it is stored."""
    if name not in DOCUMENTS:
        raise FileNotFoundError(f"there is no document {name}")
    return DOCUMENTS[name]


@app.task(name="documents.extract")
def extract(page: str) -> dict[str, str]:
    """Its title, and its text without tags, scripts and styles."""
    reader = _Text()
    reader.feed(page)
    reader.close()
    return {"title": reader.title, "text": " ".join("".join(reader.parts).split())}


@app.task(name="documents.sentiment")
def sentiment(document: dict[str, str]) -> dict[str, object]:
    """The document with its mood: good words less bad ones."""
    words = re.findall(r"[a-z]+", document["text"].lower())
    return {**document, "sentiment": sum(word in GOOD for word in words) - sum(word in BAD for word in words)}


@app.task(name="documents.entities")
def entities(document: dict[str, object], most: int) -> dict[str, object]:
    """Title, mood and the first names in the text: words with a capital letter inside of a sentence."""
    names = list(dict.fromkeys(_NAME.findall(str(document["text"]))))
    return {"title": document["title"], "sentiment": document["sentiment"], "entities": names[:most]}
