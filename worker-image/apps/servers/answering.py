"""How the web servers beside it answer."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler


def answer(
    request: BaseHTTPRequestHandler, status: int, content_type: str, text: str, between: Callable[[], object] = tuple
) -> None:
    """With its length, by which a caller sees whether it got all of it; `between` is called in the text's middle."""
    body = text.encode()
    request.send_response(status)
    request.send_header("Content-Type", content_type)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    middle = len(body) // 2
    request.wfile.write(body[:middle])
    between()
    request.wfile.write(body[middle:])
