"""When a group counts as a success, and what becomes of failures: the parts of a spec that decide its outcome."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from taskgroup.api.base import Model, exactly_one

ExceptionName = Annotated[str, Field(min_length=1, max_length=256)]


class SuccessPolicy(Model):
    """How many items have to succeed."""

    model_config = exactly_one("successPolicy", "succeededCount", "succeededPercent")

    succeeded_count: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="So many; not more than there are items."
    )
    succeeded_percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="So many in a hundred, rounded up."
    )


class RetryAction(StrEnum):
    """What becomes of an item whose task failed."""

    RETRY = "Retry"
    FAIL_ITEM = "FailItem"
    FAIL_GROUP = "FailGroup"
    IGNORE = "Ignore"


class Backoff(Model):
    """How long an item waits for its next attempt."""

    initial_seconds: Annotated[int, Field(ge=0, le=86_400)] = Field(10, description="Before the first retry.")
    factor: Annotated[float, Field(ge=1, le=10)] = Field(2, description="By which each wait is longer than the last.")
    max_seconds: Annotated[int, Field(ge=0, le=86_400)] = Field(360, description="Longest wait.")
    jitter: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="Part of the wait by which it is shortened at most, differently for each item."
    )


class RetryRule(Model):
    """What to do about some failures: those to which all that it names applies."""

    on_exception: Annotated[list[ExceptionName], Field(min_length=1, max_length=32)] | None = Field(
        None, description="Exception classes, as ValueError or shop.errors.SoldOut; subclasses are others."
    )
    on_message: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        None, description="Pattern (RE2) that is found in the text of the exception."
    )
    action: RetryAction = Field(
        description="Retry, FailItem, FailGroup, or Ignore: retry without counting, at most 100 times."
    )


class RetryPolicy(Model):
    """Retries by the operator, after the task has failed for good."""

    max_worker_losses: Annotated[int, Field(ge=1, le=100)] = Field(
        3, description="Workers that may die with an item; with the next one it is Lost."
    )

    limit: Annotated[int, Field(ge=0, le=1_000)] = Field(
        0, description="Most counted retries of an item, or of a step."
    )
    backoff: Backoff = Field(default_factory=Backoff, description="Waits between attempts.")
    rules: Annotated[list[RetryRule], Field(max_length=32)] | None = Field(
        None, description="The first that fits decides; Retry when none does."
    )
