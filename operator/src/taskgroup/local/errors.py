"""What ends a command before a group could run."""


class LocalError(Exception):
    """Something that a local run needs is missing; `str()` is a sentence that says what, where and what to do."""
