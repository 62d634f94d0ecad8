"""The command line's first lines: SIGTERM is handled before the imports, which take a second.

The kernel drops a signal that a container's first process has no handler for. The image starts Python with SIGTERM
blocked, so that one that comes even before these lines waits for them.
"""

import os
import signal
import sys

if __name__ == "__main__":
    # Nothing is held yet. Only the operator may call this a success: another command has not done its work.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0 if "operator" in sys.argv[1:2] else 128 + signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])

from taskgroup.command_line import app

if __name__ == "__main__":
    app(prog_name="taskgroup")
