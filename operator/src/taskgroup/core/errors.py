"""What compiling a spec raises; `groups/compiling.py` makes a Trouble of it. Decisions raise nothing."""


class InvalidSpecError(Exception):
    """The spec cannot be run; `str()` is a sentence that says what to change."""
