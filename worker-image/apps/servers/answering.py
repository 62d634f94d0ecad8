"""How the web servers beside it answer."""

from http.server import BaseHTTPRequestHandler


def answer(request: BaseHTTPRequestHandler, status: int, content_type: str, text: str) -> None:
    """With its length, by which a caller sees whether it got all of it."""
    body = text.encode()
    request.send_response(status)
    request.send_header("Content-Type", content_type)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
