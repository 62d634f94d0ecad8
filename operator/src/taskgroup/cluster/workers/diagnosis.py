"""What keeps a worker from running, read from its pod and Deployment and said to the group's owner.

Pure functions over the API's dicts. Programs outside write the texts that are looked at here (kubelet, the container
runtime, Celery, admission), so a text that is not recognised still ends up in a sentence of its own.
"""

import re
from dataclasses import dataclass
from typing import Any

from taskgroup.api.names import Reason
from taskgroup.core.groups.observed import Trouble

Part = dict[str, Any]

_IMAGE_REASONS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
}
_STARTING = {"ContainerCreating", "PodInitializing"}
_STARTING_SECONDS = 60.0
_MAX_CAUSE = 300
_OUT_OF_MEMORY = "OOMKilled"


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker container of one pod, as far as a sentence about it needs."""

    pod: str
    namespace: str
    image: str
    app: str

    @property
    def log_command(self) -> str:
        """How its owner sees more."""
        return f"kubectl logs -n {self.namespace} {self.pod} --previous"


def worker_of(pod: Part, container: Part) -> Worker:
    """What is known from the pod's own spec."""
    meta, args = pod["metadata"], container.get("args") or []
    app = args[args.index("-A") + 1] if "-A" in args[:-1] else "?"
    return Worker(meta["name"], meta.get("namespace", ""), container.get("image", "?"), app)


def waiting_trouble(worker: Worker, state: Part, seconds: float) -> Trouble | None:
    """A container that waits: `state` is state.waiting, `seconds` how long the pod has been there."""
    reason, said = state.get("reason", ""), _cause(state.get("message", ""))
    if reason in _IMAGE_REASONS:
        text = f'The image "{worker.image}" cannot be pulled: {said or reason}. Check workers.image, imagePullPolicy'
        return Trouble(Reason.IMAGE_CANNOT_BE_PULLED, f"{text} and imagePullSecrets.")
    if reason in _STARTING or not reason:
        return _slow_start(worker) if seconds > _STARTING_SECONDS else None
    if "runAsNonRoot" in said:
        text = f'The image "{worker.image}" runs as root or as a user without a number'
        return Trouble(
            Reason.WORKER_CANNOT_START, f"{text}: set workers.securityContext.runAsUser to a number above 0."
        )
    if reason == "CreateContainerConfigError":
        text = f"The worker cannot start: {said}. Check workers.env and envFrom, and the Secrets and ConfigMaps there."
        return Trouble(Reason.WORKER_CANNOT_START, text)
    return Trouble(Reason.WORKER_CANNOT_START, _no_start(worker, said or reason))


def ended_trouble(worker: Worker, state: Part) -> Trouble | None:
    """A container that ended: `state` is state.terminated or lastState.terminated; None for a good end."""
    code, reason, text = state.get("exitCode", 0), state.get("reason", ""), state.get("message", "")
    if reason == _OUT_OF_MEMORY:
        advice = "raise workers.resources.limits.memory or lower workers.concurrency"
        return Trouble(Reason.WORKER_CRASHES, f"The worker {worker.pod} ran out of memory: {advice}.")
    if reason in ("StartError", "ContainerCannotRun"):
        return Trouble(Reason.WORKER_CANNOT_START, _no_start(worker, _cause(text)))
    if code == 0:
        return None
    last = _last_line(text)
    return Trouble(Reason.WORKER_CRASHES, _import_failure(worker, code, text, last) or _crash(worker, code, last))


def unschedulable(pod: Part) -> Trouble | None:
    """No node takes the pod."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            said = _cause(condition.get("message", ""))
            advice = "Lower workers.resources.requests, look at nodeSelector and tolerations, or add nodes."
            return Trouble(Reason.UNSCHEDULABLE, f"No node can run a worker pod: {said}. {advice}")
    return None


def refused_pods(deployment: Part) -> Trouble | None:
    """Pods that cannot even be created: quota, pod security, a missing service account."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return _refusal(condition.get("message", ""))
    return None


def _refusal(message: str) -> Trouble:
    said = _cause(re.sub(r'^pods "[^"]*" is forbidden: ', "", message))
    account = re.search(r'serviceaccount "([^"]*)" not found', said)
    if account:
        text = f'The service account "{account[1]}" does not exist: create it, or change workers.serviceAccountName.'
    elif "exceeded quota" in said or "must specify" in said or "minimum" in said or "maximum" in said:
        text = f"The namespace allows no further worker pod: {said}. Change workers.resources or the quota."
    elif "PodSecurity" in said:
        text = f"The namespace's pod security forbids worker pods: {said}. Change workers.securityContext or volumes."
    else:
        text = f"The cluster refuses worker pods: {said}."
    return Trouble(Reason.FORBIDDEN, text)


def _slow_start(worker: Worker) -> Trouble:
    what = "is still being prepared: its image is being pulled, or a volume cannot be mounted"
    how = f"kubectl describe pod -n {worker.namespace} {worker.pod}"
    return Trouble(Reason.WORKER_CANNOT_START, f"The worker {worker.pod} {what}; see {how}.")


def _no_start(worker: Worker, said: str) -> str:
    if "executable file not found" in said or "no such file" in said:
        return f'The image "{worker.image}" has no python3 on its PATH, which starts Celery: {said}.'
    return f'The worker cannot be started from the image "{worker.image}": {said}.'


def _import_failure(worker: Worker, code: int, text: str, last: str) -> str:
    """Celery ends with 2 when it cannot load the app. Of a long traceback only the end is kept, not its first line."""
    lacks = re.search(r"No module named '(celery|gevent|eventlet)(\.[^']*)?'$", last)
    if lacks and lacks[1] == "celery":
        return f'The image "{worker.image}" has no Celery for its python3: {last}. Check workers.image.'
    if lacks:
        return f'The image "{worker.image}" lacks {lacks[1]}: install it there, or choose another workers.pool.'
    if "Unable to load celery application" in text or (code == 2 and '  File "' in text):
        where = f'The app "{worker.app}" cannot be imported in image "{worker.image}"'
        return f"{where}: {last}. Check workers.app, workers.env and the image."
    return ""


def _crash(worker: Worker, code: int, last: str) -> str:
    how = f"killed by signal {code - 128}" if code > 128 else f"exit code {code}"
    said = f": {last}" if last else ""
    return f"The worker {worker.pod} ended ({how}){said}. See {worker.log_command}."


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _cause(lines[-1]) if lines else ""


def _cause(text: str) -> str:
    """One line; of a chain of errors the end, which is where the cause stands."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _MAX_CAUSE else f"…{line[-_MAX_CAUSE:]}"
