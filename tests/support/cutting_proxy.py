"""A way to a server that breaks once, in the middle of an answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class _Proxy:
    def __init__(self, port: int, after: int, when_cut: Callable[[], None]) -> None:
        self._port = port
        self._after = after
        self._when_cut = when_cut
        self.listener = socket.create_server(("127.0.0.1", 0))

    def serve(self) -> None:
        """Connections, until the listener is closed."""
        with suppress(OSError):
            for number in range(1_000):
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=_copied, args=(client, server, None), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client, number), daemon=True).start()

    def _back(self, server: socket.socket, client: socket.socket, number: int) -> None:
        if _copied(server, client, self._after if number == 0 else None):
            self._when_cut()
        for one in (client, server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _copied(source: socket.socket, target: socket.socket, most: int | None) -> bool:
    """Whether it was too much."""
    total = 0
    with suppress(OSError):
        while data := source.recv(65_536):
            total += len(data)
            target.sendall(data)
            if most is not None and total > most:
                return True
    return False


@contextmanager
def cutting_proxy(port: int, after: int, when_cut: Callable[[], None]) -> Iterator[int]:
    """The port of a way to `port` whose first connection ends after so many bytes; `when_cut` is called before that."""
    proxy = _Proxy(port, after, when_cut)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy.listener.getsockname()[1]
    finally:
        proxy.listener.close()
