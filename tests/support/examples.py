"""How many examples a property of whole lives is tried with: few in each run, many in a long one."""

import os

FACTOR = "TASKGROUP_EXAMPLES"
"""Variable with how many times more of them are wanted."""


def examples(count: int) -> int:
    """As many, or a multiple."""
    return count * int(os.environ.get(FACTOR, "1"))
