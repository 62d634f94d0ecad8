"""A web server that counts its calls and refuses those that are too many, as the ones do for which groups are paced."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread


@dataclass
class Counted:
    """What the server saw."""

    most: int
    seconds: float
    url: str = ""
    calls: list[float] = field(default_factory=list)
    """When each call came, by the server's monotonic clock."""
    refused: int = 0
    lock: Lock = field(default_factory=Lock)

    def takes(self) -> bool:
        """Whether this call is not too much for the window that ends now."""
        with self.lock:
            now = time.monotonic()
            is_taken = sum(call > now - self.seconds for call in self.calls) < self.most
            self.calls.append(now)
            self.refused += not is_taken
            return is_taken


@contextmanager
def counting_server(most: int, seconds: float) -> Iterator[Counted]:
    """Takes at most so many calls in any window of so many seconds, and refuses the others with 429."""
    counted = Counted(most, seconds)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if counted.takes() else 429)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    counted.url = f"http://127.0.0.1:{server.server_port}/"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield counted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
