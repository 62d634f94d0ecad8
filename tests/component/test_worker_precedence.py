"""Who decides what in a worker: the table in docs/workers.md is what running workers of all versions answer."""

from support.precedence import measured, written


def test_the_documented_table_is_what_workers_say() -> None:
    assert measured() == written(), "Run `python -m support.precedence` in tests/ and look at what changed."
