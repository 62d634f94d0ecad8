"""Builds the Deployment of a group's workers, as a new plain dict on every call.

Rollout: there are never more than `maxReplicas` pods, because quotas are set by it, so maxSurge is 0. A quarter of the
pods is replaced at a time. Workers have no probes, so a pod counts as available after ten seconds: an app that cannot
be imported has ended by then, and a broken template stops the rollout at its first quarter.
"""

from taskgroup.api.backend import Backend
from taskgroup.api.environment import EnvironmentVariable
from taskgroup.api.names import ANNOTATION_BACKEND_HASH, LABEL_UID, WORKER_CONTAINER
from taskgroup.api.volumes import Volume
from taskgroup.api.workers import Workers
from taskgroup.cluster.children import child_labels, child_metadata, child_name
from taskgroup.cluster.workers import certificates
from taskgroup.cluster.workers.command import arguments, command, stop_command
from taskgroup.cluster.workers.containers import (
    SCRATCH,
    Manifest,
    container_security,
    init_containers,
    mounts,
    scratch_volumes,
)
from taskgroup.core.meta import Meta
from taskgroup.core.pools.pool_spec import PoolSpec

_AVAILABLE_SECONDS = 10
BROKER_VARIABLES = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL", "BROKER_URL")
"""An app that sets a broker URL of its own reads only the second and the third; the last replaces the first."""
RESULT_VARIABLES = ("CELERY_RESULT_BACKEND", "RESULT_BACKEND")
"""The last replaces the first."""


def worker_deployment(meta: Meta, pool: PoolSpec, replicas: int) -> Manifest:
    """Return the Deployment for server-side apply."""
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
            "template": pod_template(meta, pool),
        },
    }


def pod_template(meta: Meta, pool: PoolSpec) -> Manifest:
    """Return the pod template: no service account token, and valid under the restricted Pod Security Standard."""
    workers = pool.workers
    spec: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": pool.grace_seconds,
        "securityContext": _pod_security(workers),
        "containers": [_container(pool)],
        "volumes": [*_volumes(workers), *certificates.volumes(pool)],
    }
    return {
        "metadata": {
            # The operator's own come last: its selector, its watch and its cleanup find the pods by them.
            "labels": {**(workers.pod_labels or {}), **child_labels(meta)},
            "annotations": {**(workers.pod_annotations or {}), ANNOTATION_BACKEND_HASH: pool.backend_hash},
        },
        "spec": spec | _optional_parts(meta, workers),
    }


def _optional_parts(meta: Meta, workers: Workers) -> Manifest:
    placement = {
        "initContainers": init_containers(workers),
        "imagePullSecrets": [secret.dump() for secret in workers.image_pull_secrets or ()],
        "nodeSelector": dict(workers.node_selector or {}),
        "tolerations": [toleration.dump() for toleration in workers.tolerations or ()],
        "affinity": workers.affinity.dump() if workers.affinity else None,
        "topologySpreadConstraints": _spread(meta, workers),
        "serviceAccountName": workers.service_account_name,
        "priorityClassName": workers.priority_class_name,
        "runtimeClassName": workers.runtime_class_name,
    }
    return {name: value for name, value in placement.items() if value}


def _spread(meta: Meta, workers: Workers) -> list[Manifest]:
    """A constraint without a selector would count no pod at all, so it gets the group's own pods."""
    selector = {"labelSelector": {"matchLabels": {LABEL_UID: meta.uid}}}
    return [selector | constraint.dump() for constraint in workers.topology_spread_constraints or ()]


def _container(pool: PoolSpec) -> Manifest:
    workers = pool.workers
    container = {
        "name": WORKER_CONTAINER,
        "image": workers.image,
        "imagePullPolicy": workers.image_pull_policy.value if workers.image_pull_policy else None,
        "command": command(),
        "args": arguments(pool),
        "env": _environment(pool),
        "envFrom": [source.dump() for source in workers.env_from or ()],
        "resources": workers.resources.dump() if workers.resources else None,
        "volumeMounts": [*mounts(workers.volume_mounts, SCRATCH), *certificates.mounts(pool)],
        "lifecycle": {"preStop": {"exec": {"command": stop_command()}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(workers),
    }
    return {name: value for name, value in container.items() if value}


def _environment(pool: PoolSpec) -> list[Manifest]:
    """The user's variables, then the operator's, which replace those of the same name: names must be unique."""
    own_variables = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *(_from_secret(name, pool.broker) for name in BROKER_VARIABLES),
        *(_from_secret(name, pool.results) for name in RESULT_VARIABLES),
        # Images may set it to request a cold shutdown on SIGTERM, which drops the running items.
        {"name": "REMAP_SIGTERM", "value": ""},
    ]
    own_names = {variable["name"] for variable in own_variables}
    # As in a pod, the last of several variables with the same name counts.
    by_name: dict[str, EnvironmentVariable] = {variable.name: variable for variable in pool.workers.env or ()}
    return [variable.dump() for name, variable in by_name.items() if name not in own_names] + own_variables


def _from_secret(name: str, backend: Backend) -> Manifest:
    ref = backend.secret_key_ref
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": ref.name, "key": ref.key}}}


def _volumes(workers: Workers) -> list[Manifest]:
    return [*(_volume(volume) for volume in workers.volumes or ()), *scratch_volumes(workers)]


def _volume(volume: Volume) -> Manifest:
    manifest = volume.dump()
    if volume.empty_dir is not None:
        # An empty emptyDir has to be present.
        manifest["emptyDir"] = volume.empty_dir.dump()
    return manifest


def _pod_security(workers: Workers) -> Manifest:
    context = workers.security_context
    optional = {
        "runAsUser": context.run_as_user,
        "runAsGroup": context.run_as_group,
        "fsGroup": context.fs_group,
        "supplementalGroups": context.supplemental_groups,
    }
    fixed: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return fixed | {name: value for name, value in optional.items() if value is not None}
