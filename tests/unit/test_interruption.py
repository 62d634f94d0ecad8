"""What ended for the broker's sake is dispatched again as a new attempt, a few times, and the group says so."""

from types import MappingProxyType

import pytest
from pyroaring import FrozenBitMap

from support.builders import completions, ledger, look, only, running, spec
from taskgroup.api.names import EventReason
from taskgroup.core.completions import Failure
from taskgroup.core.groups.interruption import MAX_INTERRUPTIONS, is_interruption
from taskgroup.core.groups.plan import Renew
from taskgroup.core.snapshot import decode, encode

SERVERS = frozenset({"redis.shop.svc:6379"})
REFUSED = "Error 111 connecting to redis.shop.svc:6379. Connection refused."
REJECTED = Failure("Reject", f"OperationalError('{REFUSED}'), False")


@pytest.mark.parametrize(
    ("failure", "is_one"),
    [
        (REJECTED, True),
        (Failure("OperationalError", REFUSED), True),
        (Failure("ConnectionError", REFUSED), True),
        (Failure("ConnectionError", "Error 111 connecting to cache.shop.svc:6379. Connection refused."), False),
        (Failure("OperationalError", 'connection to server at "10.0.0.1", port 5432 failed'), False),
        (Failure("Reject", "AttributeError(\"'NoneType' object has no attribute 'client'\"), False"), True),
        (Failure("Reject", "AttributeError(\"'NoneType' object has no attribute 'price'\"), False"), False),
        (Failure("Reject", "the task said no, False"), False),
        (Failure("ValueError", REFUSED), False),
    ],
    ids=[
        "a retry that could not be published",
        "a subtask that could not be published",
        "a result that could not be stored",
        "another Redis",
        "a database",
        "a retry on a channel that was closed",
        "a mistake in the task",
        "the task's own",
        "another exception",
    ],
)
def test_only_the_group_s_own_servers_interrupt(failure: Failure, is_one: bool) -> None:
    assert is_interruption(failure, SERVERS) is is_one


def test_an_interrupted_item_gets_a_new_attempt_and_does_not_fail() -> None:
    seen = running(spec(4), ledger(4, dispatched=4), completions=completions((), (1, 2), failure=REJECTED))
    plan = look(seen)

    (renew,) = only(plan, Renew)
    assert renew.units == FrozenBitMap([1, 2])
    assert not plan.ledger.failed
    assert dict(plan.ledger.interruptions) == {1: 1, 2: 1}
    assert [event.reason for event in plan.extra_events] == [EventReason.INTERRUPTED]
    assert decode(encode(plan.ledger)) == plan.ledger


def test_an_interruption_waits_for_the_broker() -> None:
    seen = running(spec(4), ledger(4, dispatched=4), completions=completions((), (1,), failure=REJECTED), queue=None)
    plan = look(seen)

    assert (plan.actions, plan.extra_events, plan.ledger.failed) == ((), (), FrozenBitMap())
    assert not plan.counted.failed, "it is shown again"
    assert not plan.ledger.interruptions


def test_an_item_that_is_interrupted_again_and_again_fails() -> None:
    books = ledger(4, dispatched=4, interruptions=MappingProxyType({1: MAX_INTERRUPTIONS}))
    plan = look(running(spec(4), books, completions=completions((), (1, 2), failure=REJECTED)))

    assert plan.ledger.failed == FrozenBitMap([1])
    assert [action.units for action in only(plan, Renew)] == [FrozenBitMap([2])]
