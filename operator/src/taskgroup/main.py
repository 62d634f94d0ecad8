"""Wires the parts together; the only place that knows all of them."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import kopf

from taskgroup.cluster.access_review import MetricsAccess
from taskgroup.cluster.client import Cluster, connect
from taskgroup.cluster.group_store import KubernetesGroups
from taskgroup.cluster.item_readers import ItemReaders
from taskgroup.cluster.lease import Lease
from taskgroup.cluster.lease_thread import LeaseThread
from taskgroup.cluster.secrets import RecentSecrets
from taskgroup.cluster.worker_cache import WATCHES, WorkerCache
from taskgroup.cluster.workers.deployments import WorkerDeployments
from taskgroup.connections.linking import Linker
from taskgroup.connections.shared import Connections, open_redis
from taskgroup.ending import stop_at_signals
from taskgroup.groups.apply import Applier
from taskgroup.groups.cleanup import Cleaner
from taskgroup.groups.compiling import Compiler
from taskgroup.groups.deletion_report import DeletionReport
from taskgroup.groups.items_reading import ItemsReader
from taskgroup.groups.loop import GroupLoop
from taskgroup.groups.observe import Observer
from taskgroup.groups.orphans import Orphans, identity
from taskgroup.groups.vanished import Vanished
from taskgroup.kopf_handlers import build_registry, operator_settings
from taskgroup.kopf_patches import compare_metadata_alone
from taskgroup.leadership import Leadership
from taskgroup.loops.budget import WriteBudget
from taskgroup.loops.clock import Clock, SystemClock
from taskgroup.loops.meeting import Meetings
from taskgroup.loops.watchdog import Watchdog
from taskgroup.measuring import Told, measure_leader, measure_process, told
from taskgroup.pools.cleanup import PoolCleaner
from taskgroup.pools.loop import PoolLoop
from taskgroup.pools.observe import PoolObserver
from taskgroup.serve.health import HealthServer
from taskgroup.serve.metrics.recorder import Recorder
from taskgroup.serve.metrics.server import PATH, MetricsServer
from taskgroup.settings import Settings
from taskgroup.transport.network import Network
from taskgroup.transport.tls import spare_buffers

_log = logging.getLogger("taskgroup")


async def run_operator(settings: Settings, kubeconfig: str | None) -> None:
    """Until SIGTERM, or the loss of the Lease, which raises RuntimeError."""

    def make(cluster: Cluster) -> Lease:
        return Lease(cluster, settings.namespace, settings.lease_name, settings.pod_name, settings.lease_seconds)

    spare_buffers()
    watches = WATCHES * max(len(settings.watch_namespaces), 1)
    leadership = Leadership(LeaseThread(kubeconfig, make, settings.lease_seconds))
    stop_at_signals(leadership.stop, leadership.release_now)
    metrics = Recorder(settings.metrics_keep_seconds, settings.metrics_max_groups)
    measure_process(metrics.readings, leadership)
    async with (
        HealthServer(settings.health_address, settings.health_port, leadership.health),
        await connect(kubeconfig, watches=watches) as cluster,
        _metrics_server(settings, metrics, cluster),
    ):
        cluster.metrics = told(metrics, settings).cluster
        await leadership.run(partial(_serve, cluster, settings, kubeconfig, metrics))


def _metrics_server(settings: Settings, metrics: Recorder, cluster: Cluster) -> MetricsServer:
    check = MetricsAccess(cluster, PATH).check if settings.metrics_secure else None
    address, port = settings.metrics_address, settings.metrics_port
    return MetricsServer(address, port, metrics.registry, check, settings.metrics_certificates)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What several parts of a leader use."""

    cluster: Cluster
    settings: Settings
    measured: Told
    budget: WriteBudget
    network: Network
    connections: Connections
    linker: Linker
    meetings: Meetings
    clock: Clock
    store: KubernetesGroups
    cache: WorkerCache
    workers: WorkerDeployments
    items: ItemsReader | None
    """None where no pod may be started that reads items."""


def _shared(cluster: Cluster, settings: Settings, measured: Told) -> _Shared:
    clock, meetings = SystemClock(), Meetings()
    network = Network(settings.brokers_allowed, metrics=measured.transport)
    connections = Connections(partial(open_redis, network=network, metrics=measured.results))
    linker = Linker(RecentSecrets(cluster).read_text, settings, connections)
    cache = WorkerCache(settings.watch_namespaces, meetings.change_workers)
    image = settings.reader_image
    return _Shared(
        cluster=cluster,
        settings=settings,
        measured=measured,
        budget=WriteBudget(settings.writes_per_second),
        network=network,
        connections=connections,
        linker=linker,
        meetings=meetings,
        clock=clock,
        store=KubernetesGroups(cluster, settings.pod_name),
        cache=cache,
        workers=WorkerDeployments(cluster, cache),
        items=ItemsReader(ItemReaders(cluster, image), linker, clock) if image else None,
    )


def _group_loop(shared: _Shared, cluster_id: str) -> GroupLoop:
    compiler, clock, items = Compiler(shared.settings.max_message_bytes), shared.clock, shared.items
    metrics = shared.measured.loops
    observer = Observer(shared.linker, compiler, clock, shared.settings.resync_seconds, items)
    applier = Applier(shared.store, clock, cluster_id, shared.budget, metrics, items)
    return GroupLoop(
        shared.store, shared.linker, compiler, observer, applier, shared.workers, shared.meetings, clock, _log, metrics
    )


def _pool_loop(shared: _Shared) -> PoolLoop:
    observer = PoolObserver(shared.workers, shared.connections, shared.clock, shared.settings.resync_seconds)
    return PoolLoop(shared.workers, observer, shared.meetings, shared.clock, _log, shared.measured.loops)


def _cleaner(shared: _Shared) -> Cleaner:
    pools = PoolCleaner(shared.cluster, shared.cache, _log)
    report = partial(DeletionReport, shared.store, shared.clock, _log)
    stop_reading = shared.items.stop if shared.items else None
    return Cleaner(shared.linker, pools.stop_workers, pools.is_terminating, report, _log, stop_reading)


async def _serve(
    cluster: Cluster, settings: Settings, kubeconfig: str | None, metrics: Recorder, leadership: Leadership
) -> None:
    shared, cluster_id = _shared(cluster, settings, told(metrics, settings)), await identity(cluster)
    measure_leader(metrics, cluster, shared.connections, shared.budget)
    cleaner, watched = _cleaner(shared), settings.watch_namespaces
    orphans = Orphans(cluster, shared.linker, shared.connections, cleaner, shared.meetings, cluster_id, watched, _log)
    vanished, watchdog = Vanished(cluster, shared.meetings, watched, _log), Watchdog(_log, late=metrics.late)
    works = [orphans.run(), vanished.run(), watchdog.run(), *shared.cache.watchers(cluster)]
    beside = [_beside(work, leadership.stop) for work in works]
    leadership.checks.append(shared.connections.check)
    leadership.waits.append(shared.cache.unlisted)
    groups, pools = _group_loop(shared, cluster_id), _pool_loop(shared)
    registry = build_registry(
        groups, pools, cleaner, shared.meetings, shared.connections, kubeconfig, len(watched), metrics
    )
    try:
        await _handle(registry, settings, leadership)
    finally:
        for task in beside:
            task.cancel()
        await shared.network.close()


def _beside(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> "asyncio.Task[None]":
    """A task that only ends by a bug: then the operator ends too, and is started again."""
    task = asyncio.create_task(work)

    def ended(_: object) -> None:
        if not task.cancelled() and (error := task.exception()):
            _log.critical("The operator ends: %r", error, exc_info=error)
            stop.set()

    task.add_done_callback(ended)
    return task


async def _handle(registry: kopf.OperatorRegistry, settings: Settings, leadership: Leadership) -> None:
    """Let kopf call the handlers until `stop`."""
    others = asyncio.all_tasks()
    compare_metadata_alone()
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=operator_settings(),
        # kopf would ask for the user's name, which a container may not have; it exports no type for its identity.
        identity=settings.pod_name,  # type: ignore[arg-type]
        standalone=True,
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
        stop_flag=leadership.stop,
        ready_flag=leadership.serving,
    )
    stop_at_signals(leadership.stop, leadership.release_now)
    await kopf.run_tasks(tasks, ignored=others)
