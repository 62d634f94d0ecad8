"""Conditions with the rules of the Kubernetes API: a transition time changes only with the status."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import Condition, TaskGroupStatus
from taskgroup.core.text import shortened

MESSAGE_LENGTH = 1_024
"""Most characters of a message: several conditions and an event repeat it in `kubectl describe`."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What a condition shall say."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


def holds(reason: str, message: str = "") -> Desired:
    """A condition that is true."""
    return Desired("True", reason, message)


def fails(reason: str, message: str = "") -> Desired:
    """A condition that is false."""
    return Desired("False", reason, message)


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, whole seconds, as Kubernetes writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str) -> float:
    """The inverse of `timestamp`."""
    return datetime.fromisoformat(text).timestamp()


def find(status: TaskGroupStatus, kind: ConditionType) -> Condition | None:
    """The condition of a type, if it was ever written."""
    return next((condition for condition in status.conditions or () if condition.type == kind), None)


def is_true(status: TaskGroupStatus, kind: ConditionType) -> bool:
    """Whether the condition was written as true."""
    condition = find(status, kind)
    return condition is not None and condition.status == "True"


def merged(
    old: Iterable[Condition], desired: Mapping[ConditionType, Desired], generation: int, now: float
) -> list[Condition]:
    """All of them as conditions, in the order of ConditionType."""
    before = {condition.type: condition for condition in old}
    return [_condition(kind, desired[kind], before.get(kind), generation, now) for kind in ConditionType]


def _condition(kind: ConditionType, desired: Desired, old: Condition | None, generation: int, now: float) -> Condition:
    """The old one as it is where it says the same: a thousand groups have twelve each in memory."""
    message = shortened(desired.message, MESSAGE_LENGTH)
    said = (desired.status, desired.reason, message, generation)
    if old is not None and said == (old.status, old.reason, old.message, old.observed_generation):
        return old
    return Condition(
        type=kind,
        status=desired.status,
        reason=desired.reason,
        message=message,
        last_transition_time=old.last_transition_time if old and old.status == desired.status else timestamp(now),
        observed_generation=generation,
    )


def with_hindrance(old: Iterable[Condition], message: str, generation: int, now: float) -> list[Condition]:
    """The same conditions, but Ready says what keeps the operator itself from going on."""
    return with_ready(old, fails(Reason.OPERATOR_HINDERED, message), generation, now)


def with_ready(old: Iterable[Condition], desired: Desired, generation: int, now: float) -> list[Condition]:
    """The same conditions, but Ready says this."""
    by_type = {condition.type: condition for condition in old}
    ready = by_type.get(ConditionType.READY)
    by_type[ConditionType.READY] = _condition(ConditionType.READY, desired, ready, generation, now)
    return list(by_type.values())
