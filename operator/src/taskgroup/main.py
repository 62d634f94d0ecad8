"""Wires the parts together; the only place that knows all of them."""

import asyncio
import logging
from collections.abc import Coroutine
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
from taskgroup.loops.clock import SystemClock
from taskgroup.loops.meeting import Meetings
from taskgroup.loops.watchdog import Watchdog
from taskgroup.measuring import measure_leader, measure_process, told
from taskgroup.pools.cleanup import PoolCleaner
from taskgroup.pools.loop import PoolLoop
from taskgroup.pools.observe import PoolObserver
from taskgroup.serve.health import HealthServer
from taskgroup.serve.metrics.recorder import Recorder
from taskgroup.serve.metrics.server import PATH, MetricsServer
from taskgroup.settings import Settings
from taskgroup.transport.network import Network

_log = logging.getLogger("taskgroup")


async def run_operator(settings: Settings, kubeconfig: str | None) -> None:
    """Until SIGTERM, or the loss of the Lease, which raises RuntimeError."""

    def make(cluster: Cluster) -> Lease:
        return Lease(cluster, settings.namespace, settings.lease_name, settings.pod_name, settings.lease_seconds)

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


async def _serve(
    cluster: Cluster, settings: Settings, kubeconfig: str | None, metrics: Recorder, leadership: Leadership
) -> None:
    measured, budget = told(metrics, settings), WriteBudget(settings.writes_per_second)
    network = Network(settings.brokers_allowed, metrics=measured.transport)
    opener = partial(open_redis, network=network, metrics=measured.results)
    clock, meetings, connections = SystemClock(), Meetings(), Connections(opener)
    measure_leader(metrics, cluster, connections, budget)
    cluster_id = await identity(cluster)
    cache = WorkerCache(settings.watch_namespaces, meetings.change_workers)
    store, workers = KubernetesGroups(cluster, settings.pod_name), WorkerDeployments(cluster, cache)
    linker = Linker(RecentSecrets(cluster).read_text, settings, connections)
    compiler = Compiler(settings.max_message_bytes)
    items = None
    if settings.reader_image:
        items = ItemsReader(ItemReaders(cluster, settings.reader_image), linker, clock)
    groups = GroupLoop(
        store,
        linker,
        compiler,
        Observer(linker, compiler, clock, settings.resync_seconds, items),
        Applier(store, clock, cluster_id, budget, measured.loops, items),
        workers,
        meetings,
        clock,
        _log,
        measured.loops,
    )
    pool_observer = PoolObserver(workers, connections, clock, settings.resync_seconds)
    pools = PoolLoop(workers, pool_observer, meetings, clock, _log, measured.loops)
    report = partial(DeletionReport, store, clock, _log)
    pool_cleaner = PoolCleaner(cluster, cache, _log)
    cleaner = Cleaner(
        linker,
        pool_cleaner.stop_workers,
        pool_cleaner.is_terminating,
        report,
        _log,
        items.stop if items else None,
    )
    orphans = Orphans(cluster, linker, connections, cleaner, meetings, cluster_id, settings.watch_namespaces, _log)
    vanished = Vanished(cluster, meetings, settings.watch_namespaces, _log)
    works = [orphans.run(), vanished.run(), Watchdog(_log, late=metrics.late).run(), *cache.watchers(cluster)]
    beside = [_beside(work, leadership.stop) for work in works]
    leadership.checks.append(connections.check)
    leadership.waits.append(cache.unlisted)
    registry = build_registry(
        groups, pools, cleaner, meetings, connections, kubeconfig, len(settings.watch_namespaces), metrics
    )
    try:
        await _handle(registry, settings, leadership)
    finally:
        for task in beside:
            task.cancel()
        await network.close()


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
