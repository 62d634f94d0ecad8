"""The Deployment of a group's workers, as a plain dict made afresh on every call.

Rollout: `maxReplicas` promises the most pods at once and quotas are cut to it, so nothing surges; a quarter is replaced
at a time, the rest goes on working. Workers have no probes, so a pod counts as available only after ten seconds: an app
that cannot be imported has ended by then, and a broken template stops the rollout at its first quarter.
"""

from typing import Any

from taskgroup.api.environment import EnvironmentVariable
from taskgroup.api.names import ANNOTATION_BACKEND_HASH, LABEL_UID, WORKER_CONTAINER
from taskgroup.api.spec import Backend
from taskgroup.api.volumes import Volume, VolumeMount
from taskgroup.api.workers import Workers
from taskgroup.cluster.children import child_labels, child_metadata, child_name
from taskgroup.cluster.workers.command import WorkerSettings, arguments, command
from taskgroup.core.groups.observed import Meta

Manifest = dict[str, Any]

_SCRATCH, _SCRATCH_PATH = "taskgroup-tmp", "/tmp"  # noqa: S108
_AVAILABLE_SECONDS = 10
_BROKER_VARIABLES = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")
"""An app that was made with a broker of its own obeys the latter two only."""


def worker_deployment(meta: Meta, settings: WorkerSettings, replicas: int) -> Manifest:
    """The manifest for server-side apply."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": child_metadata(meta, child_name(meta.name, meta.uid)),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {LABEL_UID: meta.uid}},
            "minReadySeconds": _AVAILABLE_SECONDS,
            "revisionHistoryLimit": 1,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "25%"}},
            "template": pod_template(meta, settings),
        },
    }


def pod_template(meta: Meta, settings: WorkerSettings) -> Manifest:
    """The worker pod: no rights, no token, restricted pod security."""
    workers = settings.workers
    spec: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "securityContext": _pod_security(workers),
        "containers": [_container(settings)],
        "volumes": _volumes(workers),
    }
    return {
        "metadata": {
            "labels": child_labels(meta),
            "annotations": {ANNOTATION_BACKEND_HASH: settings.backend_hash},
        },
        "spec": spec | _placement(workers),
    }


def _placement(workers: Workers) -> Manifest:
    chosen = {
        "imagePullSecrets": [secret.dump() for secret in workers.image_pull_secrets or ()],
        "nodeSelector": dict(workers.node_selector or {}),
        "tolerations": [toleration.dump() for toleration in workers.tolerations or ()],
        "affinity": workers.affinity.dump() if workers.affinity else None,
        "serviceAccountName": workers.service_account_name,
    }
    return {name: value for name, value in chosen.items() if value}


def _container(settings: WorkerSettings) -> Manifest:
    workers = settings.workers
    made = {
        "name": WORKER_CONTAINER,
        "image": workers.image,
        "imagePullPolicy": workers.image_pull_policy.value if workers.image_pull_policy else None,
        "command": command(),
        "args": arguments(settings),
        "env": _environment(settings),
        "envFrom": [source.dump() for source in workers.env_from or ()],
        "resources": workers.resources.dump() if workers.resources else None,
        "volumeMounts": _mounts(workers),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": _container_security(workers),
    }
    return {name: value for name, value in made.items() if value}


def _environment(settings: WorkerSettings) -> list[Manifest]:
    """The user's variables, then ours in place of any of the same name (two of one name cannot be applied)."""
    own = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *(_from_secret(name, settings.broker) for name in _BROKER_VARIABLES),
        _from_secret("CELERY_RESULT_BACKEND", settings.results),
        # An image that asks for a cold shutdown on SIGTERM would drop what it runs.
        {"name": "REMAP_SIGTERM", "value": ""},
    ]
    taken = {variable["name"] for variable in own}
    # As in a pod, the last of several variables with one name counts.
    chosen: dict[str, EnvironmentVariable] = {variable.name: variable for variable in settings.workers.env or ()}
    return [variable.dump() for name, variable in chosen.items() if name not in taken] + own


def _from_secret(name: str, backend: Backend) -> Manifest:
    ref = backend.secret_key_ref
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": ref.name, "key": ref.key}}}


def _volumes(workers: Workers) -> list[Manifest]:
    volumes = [_volume(volume) for volume in workers.volumes or ()]
    return volumes if _has_scratch(workers) else [*volumes, {"name": _SCRATCH, "emptyDir": {}}]


def _volume(volume: Volume) -> Manifest:
    made = volume.dump()
    if volume.empty_dir is not None:
        # Applied field by field, an empty dict still has to be there.
        made["emptyDir"] = volume.empty_dir.dump()
    return made


def _mounts(workers: Workers) -> list[Manifest]:
    mounts: list[Manifest] = [mount.dump() for mount in workers.volume_mounts or ()]
    return mounts if _has_scratch(workers) else [*mounts, {"name": _SCRATCH, "mountPath": _SCRATCH_PATH}]


def _has_scratch(workers: Workers) -> bool:
    def is_scratch(mount: VolumeMount) -> bool:
        return mount.mount_path.rstrip("/") == _SCRATCH_PATH

    return any(is_scratch(mount) for mount in workers.volume_mounts or ())


def _pod_security(workers: Workers) -> Manifest:
    chosen = workers.security_context
    optional = {
        "runAsUser": chosen.run_as_user,
        "runAsGroup": chosen.run_as_group,
        "fsGroup": chosen.fs_group,
        "supplementalGroups": chosen.supplemental_groups,
    }
    fixed: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return fixed | {name: value for name, value in optional.items() if value is not None}


def _container_security(workers: Workers) -> Manifest:
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": workers.security_context.read_only_root_filesystem,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
