"""What can be wrong with a TaskGroup, said to its owner."""


class InvalidSpecError(Exception):
    """The spec cannot be run; `str()` is a sentence that says what to change."""
