"""The workers of a group as the cluster shall have them: the Deployment, and which of its pods to stop first."""

import hashlib

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.keys import GroupKeys
from taskgroup.cluster.children import child_name
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.resources import DEPLOYMENTS, TASK_GROUPS
from taskgroup.cluster.workers.command import WorkerSettings
from taskgroup.cluster.workers.deployments import WorkerDeployments
from taskgroup.cluster.workers.manifest import worker_deployment
from taskgroup.connections.linking import Link, Linker
from taskgroup.core.groups.observed import Meta, WorkerFacts
from taskgroup.core.items.work import Work
from taskgroup.groups.memory import Compiled

GRACE_SECONDS = 60
"""What a stopping worker gets for items without a time limit; longer ones are handed back."""
GRACE_MARGIN_SECONDS = 30
MAX_GRACE_SECONDS = 7_200
RESULT_SECONDS = 7 * 86_400
"""Least life of a result value; a constant for most groups, because a change of it would roll the workers."""


class Scaler:
    """Writes the Deployment; the same one serves all groups."""

    def __init__(self, cluster: Cluster, linker: Linker) -> None:
        self._cluster = cluster
        self._linker = linker
        self._deployments = WorkerDeployments(cluster)

    def manifest(self, meta: Meta, spec: TaskGroupSpec, work: Work, link: Link, replicas: int) -> Object:
        """The Deployment that the spec asks for."""
        broker = self._linker.broker_of(meta, spec)
        keys = GroupKeys("", meta.uid)
        settings = WorkerSettings(
            workers=spec.workers,
            broker=broker,
            results=spec.result_backend or broker,
            queue=keys.queue,
            unacked_options=keys.worker_options("$(POD_NAME)"),
            grace_seconds=grace_seconds(work),
            backend_hash=backend_hash(link),
            result_expires_seconds=result_seconds(spec),
        )
        return worker_deployment(meta, settings, replicas)

    async def observe(self, meta: Meta, compiled: Compiled, link: Link | None) -> WorkerFacts:
        """What runs, and whether it is what the spec asks for."""
        wanted = None
        if compiled.spec is not None and compiled.work is not None and link is not None:
            wanted = self.manifest(meta, compiled.spec, compiled.work, link, 0)
        return await self._deployments.observe(meta, wanted)

    async def apply(self, meta: Meta, manifest: Object) -> None:
        """Server-side apply: what somebody else changed is put right."""
        await self._deployments.apply(meta, manifest)

    async def stop(self, meta: Meta) -> None:
        """No pods, whatever the rest of the Deployment looks like."""
        name = child_name(meta.name, meta.uid)
        await self._cluster.merge_patch(DEPLOYMENTS, meta.namespace, name, {"spec": {"replicas": 0}})

    async def mark(self, meta: Meta, idle: tuple[str, ...], busy: tuple[str, ...]) -> None:
        """Idle pods are stopped first."""
        await self._deployments.mark(meta, idle, busy)

    def forget(self, uid: str) -> None:
        """The group is gone."""
        self._deployments.forget(uid)

    async def delete_object(self, meta: Meta) -> None:
        """The TaskGroup itself, unless another one has taken its name."""
        await self._cluster.delete(TASK_GROUPS, meta.namespace, meta.name, uid=meta.uid)


def grace_seconds(work: Work) -> int:
    """terminationGracePeriodSeconds: the longest hard limit and some time to stop."""
    limits = [leaf.options.time_limit_seconds for leaf in work.kinds]
    if not all(limits):
        return GRACE_SECONDS
    return min(max(limit or 0 for limit in limits) + GRACE_MARGIN_SECONDS, MAX_GRACE_SECONDS)


def result_seconds(spec: TaskGroupSpec) -> int:
    """Results live at least as long as the object can, so that no value is missing while the group exists."""
    known = (spec.active_deadline_seconds or 0) + (spec.ttl_seconds_after_finished or 0)
    return max(RESULT_SECONDS, known + 86_400)


def backend_hash(link: Link) -> str:
    """Changes with the URLs, so that a rotated Secret rolls the workers; tells nothing about them."""
    urls = f"{link.address.broker_url} {link.address.results_url}"
    return hashlib.sha256(urls.encode()).hexdigest()[:16]
