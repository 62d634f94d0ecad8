"""Explains to the owner of a group why a worker does not run, from the pod and the Deployment.

Pure functions over the API's dicts. The texts come from other programs (the kubelet, the container runtime, Celery,
admission), so there is a general sentence for every text that is not recognised.
"""

import re
from dataclasses import dataclass
from typing import Any

from taskgroup.api.names import Reason
from taskgroup.core.trouble import Trouble

Part = dict[str, Any]

IMAGE_REASONS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
}
STARTING = {"ContainerCreating", "PodInitializing"}
STARTING_SECONDS = 60.0
_MAX_LENGTH = 300
OUT_OF_MEMORY = "OOMKilled"
_KILLED = 137
_BROKER_WORDS = re.compile(
    r"kombu/transport/redis\.py|kombu\.exceptions\.OperationalError|redis\.exceptions\.(Connection|Timeout|BusyLoading)Error"
)


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker container of one pod: the parts that messages name."""

    pod: str
    namespace: str
    image: str
    app: str

    @property
    def log_command(self) -> str:
        """The command that shows the log of the container's previous run."""
        return f"kubectl logs -n {self.namespace} {self.pod} --previous"


def worker_of(pod: Part, container: Part) -> Worker:
    """Read a Worker from the pod and the spec of its worker container."""
    meta, args = pod["metadata"], container.get("args") or []
    app = args[args.index("-A") + 1] if "-A" in args[:-1] else "?"
    return Worker(meta["name"], meta.get("namespace", ""), container.get("image", "?"), app)


def waiting_trouble(worker: Worker, state: Part, seconds: float) -> Trouble | None:
    """Why a container waits; None while a start may take that long.

    `state` is the container's state.waiting, `seconds` the time since the pod was assigned to a node.
    """
    reason, message = state.get("reason", ""), last_part(state.get("message", ""))
    if reason in IMAGE_REASONS:
        text = f'The image "{worker.image}" cannot be pulled: {message or reason}. Check workers.image, imagePullPolicy'
        return Trouble(Reason.IMAGE_CANNOT_BE_PULLED, f"{text} and imagePullSecrets.")
    if reason in STARTING or not reason:
        return _slow_start(worker) if seconds > STARTING_SECONDS else None
    if "runAsNonRoot" in message:
        text = f'The image "{worker.image}" runs as root or as a user without a number'
        return Trouble(
            Reason.WORKER_CANNOT_START, f"{text}: set workers.securityContext.runAsUser to a number above 0."
        )
    if reason == "CreateContainerConfigError":
        text = (
            f"The worker cannot start: {message}. Check workers.env and envFrom, and the Secrets and ConfigMaps there."
        )
        return Trouble(Reason.WORKER_CANNOT_START, text)
    return Trouble(Reason.WORKER_CANNOT_START, _failed_start(worker, message or reason))


def ended_trouble(worker: Worker, state: Part) -> Trouble | None:
    """Why a container ended; None for exit code 0. `state` is its state.terminated or lastState.terminated."""
    code, reason, text = state.get("exitCode", 0), state.get("reason", ""), state.get("message", "")
    if reason == OUT_OF_MEMORY:
        advice = "raise workers.resources.limits.memory or lower workers.concurrency"
        return Trouble(Reason.WORKER_CRASHES, f"The worker {worker.pod} ran out of memory: {advice}.")
    if reason in ("StartError", "ContainerCannotRun"):
        return Trouble(Reason.WORKER_CANNOT_START, _failed_start(worker, last_part(text)))
    if code == 0:
        return None
    last_line = last_line_of(text)
    sentence = _import_failure(worker, code, text, last_line) or _crash(worker, code, last_line)
    return Trouble(Reason.WORKER_CRASHES, sentence)


def evicted(worker: Worker, status: Part) -> Trouble:
    """Why the kubelet or the control plane made the pod fail. A crash does not: it restarts the container."""
    message = last_part(status.get("message", "")) or status.get("reason") or "it gave no reason"
    if "limit" in message:
        advice = "Raise the limit, or let the tasks write less."
    elif "low on resource" in message:
        advice = "What it ran starts again elsewhere; set workers.resources.requests to what the tasks need."
    else:
        advice = "What it ran starts again elsewhere."
    return Trouble(Reason.EVICTED, f"The worker {worker.pod} was evicted: {message}. {advice}")


def lost_broker(state: Part) -> bool:
    """Whether a container ended by itself because it lost the broker; `state` as for `ended_trouble`.

    What it said last is the end of its log: a traceback out of kombu's transport, or redis-py's own words.
    """
    by_itself = state.get("exitCode", 0) not in (0, _KILLED) and state.get("reason") != OUT_OF_MEMORY
    return by_itself and bool(_BROKER_WORDS.search(state.get("message", "")))


def unschedulable(pod: Part) -> Trouble | None:
    """Why no node can run the pod; None when it is scheduled."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            message = last_part(condition.get("message", ""))
            advice = "Lower workers.resources.requests, check nodeSelector and tolerations, or add nodes."
            return Trouble(Reason.UNSCHEDULABLE, f"No node can run a worker pod: {message}. {advice}")
    return None


def refused_pods(deployment: Part) -> Trouble | None:
    """Why pods cannot be created, for example a quota, pod security or a missing service account; else None."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return _refusal(condition.get("message", ""))
    return None


def _refusal(message: str) -> Trouble:
    message = last_part(re.sub(r'^pods "[^"]*" is forbidden: ', "", message))
    account = re.search(r'serviceaccount "([^"]*)" not found', message)
    if account:
        text = f'The service account "{account[1]}" does not exist: create it, or change workers.serviceAccountName.'
    elif any(words in message for words in ("exceeded quota", "must specify", "minimum", "maximum")):
        text = f"The namespace allows no further worker pod: {message}. Change workers.resources or the quota."
    elif "PodSecurity" in message:
        text = (
            f"The namespace's pod security forbids worker pods: {message}. Change workers.securityContext or volumes."
        )
    else:
        text = f"The cluster refuses worker pods: {message}."
    return Trouble(Reason.FORBIDDEN, text)


def _slow_start(worker: Worker) -> Trouble:
    causes = "its image is being pulled, or a volume cannot be mounted"
    command = f"kubectl describe pod -n {worker.namespace} {worker.pod}"
    text = f"The worker {worker.pod} is still being prepared: {causes}; see {command}."
    return Trouble(Reason.WORKER_CANNOT_START, text)


def _failed_start(worker: Worker, message: str) -> str:
    if "executable file not found" in message or "no such file" in message:
        return f'The image "{worker.image}" has no python3 on its PATH, which starts Celery: {message}.'
    return f'The worker cannot be started from the image "{worker.image}": {message}.'


def _import_failure(worker: Worker, code: int, text: str, last_line: str) -> str:
    """The sentence for an app or library that cannot be imported; empty for other ends.

    Celery exits with 2 when it cannot load the app. `text` is the end of the log, and may lack the first line of a
    long traceback.
    """
    missing = re.search(r"No module named '(celery|gevent|eventlet)(\.[^']*)?'$", last_line)
    if missing and missing[1] == "celery":
        return f'The image "{worker.image}" has no Celery for its python3: {last_line}. Check workers.image.'
    if missing:
        return f'The image "{worker.image}" lacks {missing[1]}: install it there, or choose another workers.pool.'
    if "Unable to load celery application" in text or (code == 2 and '  File "' in text):
        failure = f'The app "{worker.app}" cannot be imported in image "{worker.image}"'
        return f"{failure}: {last_line}. Check workers.app, workers.env and the image."
    return ""


def _crash(worker: Worker, code: int, last_line: str) -> str:
    cause = f": {last_line}" if last_line else ""
    return f"The worker {worker.pod} ended ({exit_of(code)}){cause}. See {worker.log_command}."


def exit_of(code: int) -> str:
    """How a container ended, in words."""
    return f"killed by signal {code - 128}" if code > 128 else f"exit code {code}"


def last_line_of(text: str) -> str:
    """The last line of a log that says something; empty when none does."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return last_part(lines[-1]) if lines else ""


def last_part(text: str) -> str:
    """The text in one line. A long one is cut at its beginning, because a chain of errors ends with the cause."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _MAX_LENGTH else f"…{line[-_MAX_LENGTH:]}"
