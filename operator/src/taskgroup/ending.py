"""The end of the operator's process: at any moment, within five seconds of SIGTERM.

A container's first process gets no signal that it has no handler for, and it handles none while a library computes or
while threads wait for a server that never answers.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from taskgroup.cluster.errors import ApiError

LAST_SECONDS = 3.9
"""After this long the process ends whatever it does, even when its event loop is held."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stop_at_signals(stop: asyncio.Event, release: Callable[[], None]) -> None:
    """Set `stop` at SIGTERM and SIGINT. To be called again after anything that installs handlers of its own.

    `release` is called on a thread, before the end, when the process has not ended in time; it takes a second at most.
    """
    loop = asyncio.get_running_loop()

    def end(*_: object) -> None:
        loop.call_soon_threadsafe(stop.set)
        last = threading.Timer(LAST_SECONDS, _end_held, (release,))
        last.daemon = True
        last.start()

    for number in _SIGNALS:
        # Twice: the loop may have noted a signal and not handled it yet, and a held loop handles none.
        loop.add_signal_handler(number, end)
        signal.signal(number, end)


def run_to_the_end(work: Coroutine[Any, Any, None]) -> NoReturn:
    """Run it in an event loop and end the process at once: nobody waits for threads that wait for tenants' servers."""
    code = 0
    try:
        asyncio.new_event_loop().run_until_complete(work)
    except (ApiError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"taskgroup: {error}\n")
        code = 1
    except Exception:
        logging.getLogger("taskgroup").exception("The operator ends because of an error that it does not know.")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_held(release: Callable[[], None]) -> NoReturn:
    try:
        release()
    finally:
        os._exit(0)
