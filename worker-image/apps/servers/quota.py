"""`python -m servers.quota`: a service on port 8080 that takes ten calls in any minute, and refuses more with 429.

`/` is a call; `/calls` tells how many were taken and refused, and the most that any minute saw.
"""

import json
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from servers.answering import answer

PORT = 8080
CALLS = 10
SECONDS = 60.0


class Quota:
    """The calls of the last minute, and what was counted since the start."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._times: deque[float] = deque()
        self._taken = self._refused = self._most = 0

    def take(self) -> bool:
        """Whether one more call may be made now; it is counted either way."""
        with self._lock:
            now = time.monotonic()
            while self._times and now - self._times[0] >= SECONDS:
                self._times.popleft()
            if len(self._times) >= CALLS:
                self._refused += 1
                return False
            self._times.append(now)
            self._taken += 1
            self._most = max(self._most, len(self._times))
            return True

    def counts(self) -> dict[str, int]:
        """What happened since the start."""
        return {"taken": self._taken, "refused": self._refused, "most in a minute": self._most}


class Service(BaseHTTPRequestHandler):
    """One request."""

    quota = Quota()

    def do_GET(self) -> None:
        """A call, or the question how many there were."""
        if self.path == "/calls":
            self._send(200, self.quota.counts())
        elif self.quota.take():
            self._send(200, {"rate": 1 + len(self.path) / 100})
        else:
            self._send(429, {"error": f"more than {CALLS} calls in a minute"})

    def _send(self, status: int, value: object) -> None:
        answer(self, status, "application/json", json.dumps(value))


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Service).serve_forever()
