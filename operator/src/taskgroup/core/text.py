"""Texts of others, made fit for a status: short, and with a sign where something is missing."""


def shortened(text: str, length: int) -> str:
    """At most `length` characters; one that was longer ends with an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def one_line(text: str, length: int) -> str:
    """The same without line breaks, for an event."""
    return shortened(" ".join(text.split()), length)
