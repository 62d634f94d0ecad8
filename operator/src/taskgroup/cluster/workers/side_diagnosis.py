"""Explains to the owner of a group why a container beside the worker keeps it from running. Pure functions."""

from dataclasses import dataclass

from taskgroup.api.names import Reason
from taskgroup.cluster.workers.diagnosis import (
    IMAGE_REASONS,
    OUT_OF_MEMORY,
    STARTING,
    Part,
    exit_of,
    last_line_of,
    last_part,
)
from taskgroup.core.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Side:
    """An init container or a sidecar of one pod: the parts that messages name."""

    pod: str
    namespace: str
    name: str
    image: str
    is_sidecar: bool

    @property
    def kind(self) -> str:
        """In words."""
        return "sidecar" if self.is_sidecar else "init container"

    @property
    def field(self) -> str:
        """Where the spec says what it is."""
        return "workers.sidecars" if self.is_sidecar else "workers.initContainers"


def sides_of(pod: Part) -> list[Side]:
    """All of a pod, in the order in which they start."""
    meta = pod["metadata"]
    return [
        Side(
            pod=meta["name"],
            namespace=meta.get("namespace", ""),
            name=container["name"],
            image=container.get("image", "?"),
            is_sidecar=container.get("restartPolicy") == "Always",
        )
        for container in pod["spec"].get("initContainers") or ()
    ]


def waiting_side(side: Side, state: Part) -> Trouble | None:
    """Why it cannot start; None while a start may take that long. `state` is its state.waiting."""
    reason, message = state.get("reason", ""), last_part(state.get("message", ""))
    if not reason or reason in STARTING:
        return None
    if reason in IMAGE_REASONS:
        text = f'The image "{side.image}" of the {side.kind} {side.name} cannot be pulled: {message or reason}.'
        return Trouble(Reason.IMAGE_CANNOT_BE_PULLED, f"{text} Check {side.field} and imagePullSecrets.")
    if "runAsNonRoot" in message:
        message = "its image runs as root or as a user without a number; set workers.securityContext.runAsUser"
    text = f"The {side.kind} {side.name} of the worker {side.pod} cannot start: {message or reason}."
    return Trouble(Reason.WORKER_CANNOT_START, f"{text} Check {side.field}.")


def ended_side(side: Side, state: Part) -> Trouble | None:
    """Why it failed; None for exit code 0. `state` is its state.terminated or lastState.terminated."""
    code = state.get("exitCode", 0)
    if code == 0:
        return None
    reason = Reason.WORKER_CRASHES if side.is_sidecar else Reason.WORKER_CANNOT_START
    who = f"The {side.kind} {side.name} of the worker {side.pod}"
    if state.get("reason") == OUT_OF_MEMORY:
        return Trouble(reason, f"{who} ran out of memory: raise resources.limits.memory in {side.field}.")
    last_line = last_line_of(state.get("message", ""))
    cause = f": {last_line}" if last_line else ""
    log = f"kubectl logs -n {side.namespace} {side.pod} -c {side.name} --previous"
    return Trouble(reason, f"{who} ended ({exit_of(code)}){cause}. See {log}.")


def running_side(side: Side) -> Trouble:
    """An init container that has run for long: nothing else can start."""
    log = f"kubectl logs -n {side.namespace} {side.pod} -c {side.name}"
    text = f"The worker {side.pod} waits for its {side.kind} {side.name}, which still runs: see {log}."
    return Trouble(Reason.WORKER_CANNOT_START, text)
