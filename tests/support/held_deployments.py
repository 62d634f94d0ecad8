"""New Deployments that wait at the API server for as long as a test wants, so that a request for one is in flight."""

import base64
import json
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from support.authority import Authority
from support.kubectl import Kubectl
from support.wait import PATIENCE, eventually

_KIND = "ValidatingWebhookConfiguration"
_ATTEMPT = ("create", "deployment", "attempt", "--image=none", "--dry-run=server")


class Gate:
    """Where they wait."""

    def __init__(self) -> None:
        self.asked = 0
        """How many came."""
        self._open = Event()
        self._open.set()
        self._waiting: set[socket.socket] = set()

    @property
    def holds(self) -> bool:
        """Whether one waits whose sender has not given it up: then the API server would have closed its connection."""
        return any(not select.select([connection], [], [], 0)[0] for connection in list(self._waiting))

    def close(self) -> None:
        """From now on they wait."""
        self._open.clear()

    def open(self) -> None:
        """All pass, also those that wait."""
        self._open.set()

    def wait(self, connection: socket.socket) -> None:
        """For who asks over this connection."""
        self.asked += 1
        self._waiting.add(connection)
        self._open.wait(PATIENCE)
        self._waiting.discard(connection)


@contextmanager
def held_deployments(kubectl: Kubectl, folder: Path) -> Iterator[Gate]:
    """In the namespace; the gate is closed."""
    gate, authority = Gate(), Authority.new(folder, "webhook-ca")
    with _server(gate, *authority.sign("webhook")) as port:
        bundle = base64.b64encode(authority.certificate.read_bytes()).decode()
        assert kubectl.create(_configuration(kubectl.namespace, port, bundle)) == ""
        try:
            eventually(lambda: kubectl(*_ATTEMPT) and gate.asked)
            gate.close()
            yield gate
        finally:
            gate.open()
            kubectl("delete", _KIND, kubectl.namespace)


def _configuration(namespace: str, port: int, bundle: str) -> dict[str, Any]:
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    webhook = {
        "name": "held.deployments.test",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/", "caBundle": bundle},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 30,
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": _KIND, "metadata": {"name": namespace}}
    return {**head, "webhooks": [webhook]}


@contextmanager
def _server(gate: Gate, certificate: Path, key: Path) -> Iterator[int]:
    """The webhook; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            gate.wait(self.connection)
            answer = {**review, "response": {"uid": review["request"]["uid"], "allowed": True}}
            with suppress(OSError):  # who asked may have gone
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
