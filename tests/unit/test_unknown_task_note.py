"""Which tasks no worker knows is noted in the ledger, until an item of them ends otherwise."""

import pytest

from support.builders import (
    MIXED,
    NOW,
    completions,
    indexes,
    ledger,
    not_registered,
    work,
)
from taskgroup.api.names import Reason
from taskgroup.core.completions import Completions
from taskgroup.core.groups.accounting import account
from taskgroup.core.groups.unknown_task import block, noted
from taskgroup.core.ledger import Ledger
from taskgroup.core.snapshot import decode, encode


def note(books: Ledger, ends: Completions) -> str:
    """The unknown tasks once these were counted."""
    compiled = work(MIXED)
    return " ".join(noted(account(books, ends, compiled, NOW), ends, compiled, MIXED).unknown_tasks)


@pytest.mark.parametrize(
    ("before", "ends", "task"),
    [
        ("", Completions(), ""),
        ("", completions([0, 15]), ""),
        ("", not_registered(15, task="bad"), "bad"),
        ("", completions((), [15]), ""),
        ("", not_registered(15, task="helper"), ""),
        ("bad", Completions(), "bad"),
        ("bad", completions([0], [1]), "bad"),
        ("bad", not_registered(16, task="bad"), "bad"),
        ("bad", completions([15]), ""),
        ("bad", completions((), [15]), ""),
        ("bad", not_registered(15, task="helper"), ""),
        ("bad", completions([15]).plus(not_registered(16, task="bad")), "bad"),
        ("bad", not_registered(0, task="good"), "bad good"),
    ],
    ids=[
        "nothing",
        "others end",
        "set",
        "a failure of its own",
        "it misses another task",
        "kept",
        "kept while other tasks end",
        "said again",
        "a success of the task",
        "a failure of the task",
        "the task misses another one",
        "known to some workers only",
        "another one",
    ],
)
def test_the_ledger_notes_the_task_until_an_item_of_it_ends(before: str, ends: Completions, task: str) -> None:
    assert note(ledger(20, dispatched=20, unknown_tasks=(before,) if before else ()), ends) == task


def test_an_item_that_had_ended_notes_nothing() -> None:
    assert note(ledger(20, dispatched=20, succeeded=indexes(15)), not_registered(15, task="bad")) == ""


def test_the_note_outlives_the_operator() -> None:
    assert decode(encode(ledger(unknown_tasks=("bad",)))).unknown_tasks == ("bad",)


def test_a_block_names_the_task() -> None:
    assert block(ledger()) is None
    trouble = block(ledger(unknown_tasks=("bad",)))
    assert trouble is not None
    assert trouble.reason == Reason.UNKNOWN_TASK
    assert "No worker knows the task 'bad'" in trouble.message
