"""`python -m servers.website`: a site on port 8080 with a dozen pages, of which the last six hang.

Its pages are `/page/1` to `/page/12`. The seventh stops in its middle, those after it never answer. The connection of a
page that hangs stays open: this is what makes crawlers hang.
"""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event

from servers.answering import answer

PORT = 8080
PAGES = 12
STOPPING = 7
"""The page that stops in its middle; those before it answer."""
_never = Event()


class Site(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """A page with its title and its links."""
        name, _, number = self.path.removeprefix("/").partition("/")
        if name != "page" or not number.isdigit() or not 1 <= int(number) <= PAGES:
            self.send_error(404)
            return
        page = int(number)
        if page > STOPPING:
            _never.wait()
        answer(self, 200, "text/html; charset=utf-8", _page(page), _never.wait if page == STOPPING else tuple)


def _page(number: int) -> str:
    links = "".join(f'<a href="/page/{other}">{other}</a>' for other in range(1, PAGES + 1) if number % other == 0)
    return f"<html><head><title>Page {number}</title></head><body>{links}</body></html>"


def main() -> None:
    """Until the process is told to stop."""
    server = ThreadingHTTPServer(("", PORT), Site)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
