"""The status of a TaskGroup: what the operator saw and decided."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from taskgroup.api.base import Model, keyed_by
from taskgroup.api.names import State

Text = Annotated[str, Field(max_length=32_768)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Count = Annotated[int, Field(ge=0)]
Indexes = Annotated[str, Field(max_length=4096)]

NEVER_OBSERVED = -1
MAX_INDEXES_BYTES = 4096
MAX_FAILURES = 20
MAX_FAILURES_BYTES = 8_192
"""Most bytes of all failures together, as JSON; a single one may be longer."""


MAX_RESULT = 1_024
"""Most characters of a result in the status."""


class StageState(StrEnum):
    """Where a callback stands, or another task that runs once for the group."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    """The group ended before it did."""


class Condition(Model):
    """One aspect of the state, in the form of metav1.Condition."""

    type: Annotated[str, Field(max_length=316)] = Field(description="Name of the condition.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[str, Field(min_length=1, max_length=1024)] = Field(description="One word for programs.")
    message: Text = Field("", description="A sentence for people.")
    last_transition_time: Time = Field(description="When status last changed.")
    observed_generation: Count | None = Field(None, description="The generation of the spec that this speaks of.")


class FailureStatus(Model):
    """Failed items with the same exception and message."""

    reason: Annotated[str, Field(max_length=256)] = Field(description="Exception class, or Lost, Expired, Revoked.")
    message: Annotated[str, Field(max_length=1024)] = Field("", description="Text of the exception.")
    count: Count = Field(description="How many items.")
    indexes: Annotated[str, Field(max_length=512)] = Field("", description="Which, in Job's notation; may be cut.")
    last_time: Time = Field(description="When the latest of them was seen.")
    traceback: Annotated[str, Field(max_length=1024)] | None = Field(
        None, description="Last frames of one of them; see spec.failureTracebacks."
    )


class WorkersStatus(Model):
    """The group's worker pods."""

    replicas: Count = Field(0, description="Pods that exist.")
    ready: Count = Field(0, description="Pods whose worker runs.")
    busy: Count = Field(0, description="Pods that held an item at the last look, up to 5 s ago.")


class StageStatus(Model):
    """What became of a task or chain that runs once for the group."""

    state: StageState = Field(description="Pending, Running, Succeeded, Failed or Cancelled.")
    reason: Annotated[str, Field(max_length=256)] | None = Field(None, description="Exception class, when it failed.")
    message: Annotated[str, Field(max_length=1024)] | None = Field(None, description="Text of the exception.")
    result: Annotated[str, Field(max_length=MAX_RESULT)] | None = Field(
        None, description="Its result as JSON; absent when it is longer than 1,024 characters, or gone."
    )


class HooksStatus(Model):
    """How many runs of a task there were that runs once for an item."""

    pending: Count = Field(0, description="Their item has ended, and they have not.")
    succeeded: Count = Field(0, description="Ended well.")
    failed: Count = Field(0, description="Ended with an error, or lost.")
    cancelled: Count = Field(0, description="The group ended before they did.")


class ItemsStatus(Model):
    """Fingerprint of the items already taken over."""

    count: Count = Field(description="How many items are known.")
    sha256: Annotated[str, Field(max_length=64)] = Field(description="Digest of the template and these items.")
    chunk_size: Annotated[int, Field(ge=1)] | None = Field(None, description="spec.chunkSize, with $(items).")
    chunk_starts: Indexes | None = Field(
        None, description="Indexes at which appended items began a chunk of their own, in Job's notation."
    )


class TaskGroupStatus(Model):
    """Counts, failures and conditions."""

    state: State | None = Field(
        None, description="Pending (no worker has run yet), Running, Suspended, Complete or Failed."
    )
    observed_generation: Annotated[int, Field(ge=NEVER_OBSERVED)] | None = Field(
        None, description="The generation of the spec that was last seen; -1 before the operator's first look."
    )
    start_time: Time | None = Field(None, description="Written before the first item is dispatched.")
    completion_time: Time | None = Field(None, description="When the group ended, either way.")
    total: Count | None = Field(None, description="All items.")
    pending: Count | None = Field(None, description="Not handed to a worker queue yet.")
    active: Count | None = Field(None, description="In the queue or running.")
    retrying: Count | None = Field(None, description="Failed, and to be run again, also by `self.retry`.")
    succeeded: Count | None = Field(None, description="Ended well.")
    failed: Count | None = Field(None, description="Ended with an error, or lost.")
    cancelled: Count | None = Field(None, description="Not run to the end because the group ended first.")
    progress: Annotated[str, Field(max_length=64)] | None = Field(None, description="Ended of total, as 37/100.")
    messages: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Chunks that ended of all, as 3/10; only where a message has several items."
    )
    percent: Annotated[int, Field(ge=0, le=100)] | None = Field(None, description="Ended of total, rounded down.")
    rate: Annotated[str, Field(max_length=32)] | None = Field(
        None,
        description="How fast items end, as 12/s, 7.5/min or 3/h: over the last minute or, if few did, since start.",
    )
    estimated_completion_time: Time | None = Field(
        None, description="When the last item ends at that rate. Absent while nobody can tell, and while suspended."
    )
    completed_indexes: Indexes | None = Field(None, description="Succeeded items in Job's notation, as 0-35,40.")
    failed_indexes: Indexes | None = Field(None, description="Failed items in Job's notation.")
    indexes_truncated: bool | None = Field(None, description="True when the index lists were too long to show.")
    failures: Annotated[list[FailureStatus], Field(max_length=MAX_FAILURES)] | None = Field(
        None, description="Distinct failures, the most frequent first; at most 20, fewer when their texts are long."
    )
    before: StageStatus | None = Field(None, description="State and result of spec.before, if there is one.")
    callback: StageStatus | None = Field(None, description="The same of spec.callback.")
    on_failure: StageStatus | None = Field(None, description="The same of spec.onFailure, once the group has failed.")
    on_item_success: HooksStatus | None = Field(None, description="Runs of spec.onItemSuccess.")
    on_item_failure: HooksStatus | None = Field(None, description="Runs of spec.onItemFailure.")
    workers: WorkersStatus | None = Field(None, description="Worker pods.")
    items: ItemsStatus | None = Field(None, description="Fingerprint of the items; appended ones must keep it.")
    last_retry_id: Annotated[str, Field(max_length=63)] | None = Field(
        None, description="The spec.retry that was acted on last."
    )
    conditions: Annotated[list[Condition], Field(max_length=16)] | None = Field(
        None,
        description="One entry per aspect; Complete, Failed and Finished tell the outcome.",
        json_schema_extra=keyed_by("type"),
    )
