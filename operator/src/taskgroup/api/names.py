"""The names that users and other programs see: API group, labels, condition types, reasons, environment variables."""

from enum import StrEnum

GROUP = "taskgroups.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TaskGroup"
PLURAL = "taskgroups"
LEDGER_KIND = "TaskGroupLedger"
LEDGER_PLURAL = "taskgroupledgers"
MANAGER = "taskgroup-operator"
"""Field manager of server-side apply and reporting controller of events."""

FINALIZER = f"{GROUP}/cleanup"
LABEL_UID = f"{GROUP}/uid"
LABEL_NAME = f"{GROUP}/name"
LABEL_ITEMS_OF = f"{GROUP}/items-of"
"""Uid of the group whose items a pod reads: no worker has it, so that the pool of workers does not count these pods."""
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
ANNOTATION_BACKEND_HASH = f"{GROUP}/backend-hash"
"""On the worker pod template: a digest of the broker and backend URLs. A changed Secret restarts the workers."""
ANNOTATION_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

WORKER_CONTAINER = "worker"
NAME_MAX_LENGTH = 52
CHILD_NAME_LENGTH = 40


class ConditionType(StrEnum):
    """Condition types of a TaskGroup. The first status write has all of them."""

    COMPLETE = "Complete"
    FAILED = "Failed"
    FAILURE_TARGET = "FailureTarget"
    SUCCESS_CRITERIA_MET = "SuccessCriteriaMet"
    SUSPENDED = "Suspended"
    FINISHED = "Finished"
    WORKERS_READY = "WorkersReady"
    BACKEND_REACHABLE = "BackendReachable"
    CONFIGURATION_VALID = "ConfigurationValid"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class State(StrEnum):
    """Values of `status.state`, which is derived from the conditions."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"


class Reason(StrEnum):
    """Reasons of conditions, failures and events."""

    # outcome
    COMPLETIONS_REACHED = "CompletionsReached"
    FAILED_INDEXES = "FailedIndexes"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    SUCCESS_POLICY = "SuccessPolicy"
    MAX_FAILED_ITEMS_EXCEEDED = "MaxFailedItemsExceeded"
    RETRY_POLICY = "RetryPolicy"
    DEADLINE_REACHED = "DeadlineReached"
    CANCELLED = "Cancelled"
    BEFORE_FAILED = "BeforeFailed"
    CALLBACK_FAILED = "CallbackFailed"
    SOURCE_CHANGED = "SourceChanged"
    # one item
    LOST = "Lost"
    REVOKED = "Revoked"
    EXPIRED = "Expired"
    RESULTS_EXPIRED = "ResultsExpired"
    RESULT_TOO_LARGE = "ResultTooLarge"
    SUCCESS_WHEN_FALSE = "SuccessWhenFalse"
    NOT_ONE_RESULT_EACH = "NotOneResultEach"
    RESULT_UNUSABLE = "ResultUnusable"
    # life
    PENDING = "Pending"
    RUNNING = "Running"
    NOT_FINISHED = "NotFinished"
    RETRYING = "Retrying"
    JOB_SUSPENDED = "JobSuspended"
    JOB_RESUMED = "JobResumed"
    NOT_SUSPENDED = "NotSuspended"
    # configuration
    VALID = "Valid"
    INVALID_TEMPLATE = "InvalidTemplate"
    ITEMS_CHANGED = "ItemsChanged"
    GROUP_ENDED = "GroupEnded"
    UNKNOWN_TASK = "UnknownTask"
    STATE_ERASED = "StateErased"
    NO_BROKER = "NoBroker"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105
    INVALID_URL = "InvalidURL"
    INVALID_SPEC = "InvalidSpec"
    SOURCE_UNREADABLE = "SourceUnreadable"
    # backend
    REACHABLE = "Reachable"
    UNREACHABLE = "Unreachable"
    ACCESS_DENIED = "AccessDenied"
    SERVER_NOT_ALLOWED = "ServerNotAllowed"
    UNKNOWN = "Unknown"
    # workers
    WORKERS_READY = "WorkersReady"
    WORKERS_STARTING = "WorkersStarting"
    NO_WORKERS_NEEDED = "NoWorkersNeeded"
    IMAGE_CANNOT_BE_PULLED = "ImageCannotBePulled"
    WORKER_CRASHES = "WorkerCrashes"
    WORKER_CANNOT_START = "WorkerCannotStart"
    UNSCHEDULABLE = "Unschedulable"
    EVICTED = "Evicted"
    FORBIDDEN = "Forbidden"
    # the operator itself
    OPERATOR_HINDERED = "OperatorHindered"
    DELETING = "Deleting"


class EventReason(StrEnum):
    """Reasons of Kubernetes events, in the order in which they occur."""

    STARTED = "Started"
    ADVICE = "Advice"
    NULLS_DROPPED = "NullsDropped"
    PROGRESS = "Progress"
    ITEM_FAILED = "ItemFailed"
    SUSPENDED = "Suspended"
    RESUMED = "Resumed"
    CONFIGURATION_INVALID = "ConfigurationInvalid"
    BACKEND_UNREACHABLE = "BackendUnreachable"
    WORKERS_NOT_READY = "WorkersNotReady"
    DATA_LOST = "DataLost"
    INTERRUPTED = "Interrupted"
    RECORD_UNREADABLE = "RecordUnreadable"
    HOOK_FAILED = "HookFailed"
    COMPLETED = "Completed"
    FAILED = "Failed"
    RETRYING = "Retrying"
    RETRY_REFUSED = "RetryRefused"


class Environment(StrEnum):
    """Environment variables of the operator; the chart sets them."""

    NAMESPACE = "TASKGROUP_NAMESPACE"
    POD_NAME = "TASKGROUP_POD_NAME"
    WATCH_NAMESPACES = "TASKGROUP_WATCH_NAMESPACES"
    READER_IMAGE = "TASKGROUP_READER_IMAGE"
    REDIS_SECRET = "TASKGROUP_REDIS_SECRET"  # noqa: S105
    REDIS_NAMESPACES = "TASKGROUP_REDIS_NAMESPACES"
    BROKERS_ALLOWED = "TASKGROUP_BROKERS_ALLOWED"
    LOG_LEVEL = "TASKGROUP_LOG_LEVEL"
    LEASE_NAME = "TASKGROUP_LEASE_NAME"
    LEASE_SECONDS = "TASKGROUP_LEASE_SECONDS"
    RESYNC_SECONDS = "TASKGROUP_RESYNC_SECONDS"
    MAX_MESSAGE_BYTES = "TASKGROUP_MAX_MESSAGE_BYTES"
    HEALTH_ADDRESS = "TASKGROUP_HEALTH_ADDRESS"
    HEALTH_PORT = "TASKGROUP_HEALTH_PORT"
    METRICS_ADDRESS = "TASKGROUP_METRICS_ADDRESS"
    METRICS_PORT = "TASKGROUP_METRICS_PORT"
    METRICS_KEEP_SECONDS = "TASKGROUP_METRICS_KEEP_SECONDS"
    METRICS_MAX_GROUPS = "TASKGROUP_METRICS_MAX_GROUPS"
    METRICS_SECURE = "TASKGROUP_METRICS_SECURE"
    METRICS_CERTIFICATES = "TASKGROUP_METRICS_CERTIFICATES"
    WRITES_PER_SECOND = "TASKGROUP_WRITES_PER_SECOND"
