"""Holds back the SIGTERM of a pod until its worker can hear it. Pods run this text by `python3 -c` before they stop.

The first process of a container ignores a signal for which it has no handler. A pod that is stopped between the start
of its container and the first lines of boot.py would not notice, take items, and be killed at the end of its grace
period. The kubelet sends SIGTERM when this program has ended.
"""

import time

CAUGHT = "SigCgt:"
SIGTERM_BIT = 1 << 14


def hears_sigterm() -> bool:
    """Whether the first process handles SIGTERM; true when that cannot be known, or when it has ended."""
    try:
        # pathlib takes longer to import than all of this to run.
        with open("/proc/1/status") as status:  # noqa: PTH123
            masks = [line.removeprefix(CAUGHT) for line in status if line.startswith(CAUGHT)]
    except OSError:
        return True
    return not masks or bool(int(masks[0], 16) & SIGTERM_BIT)


if __name__ == "__main__":
    while not hears_sigterm():
        time.sleep(0.01)
