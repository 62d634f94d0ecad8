"""A group's own `workers` as a pool: what it is called, and what its workers are made of."""

import hashlib

from taskgroup.api.backend import Backend
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.port import Route
from taskgroup.connections.linking import Link
from taskgroup.connections.shared import Address
from taskgroup.core.items.work import Work
from taskgroup.core.pools.pool_spec import POD_NAME, PoolSpec, grace_seconds, loss_limit, result_seconds
from taskgroup.transport.tls import PLAIN


def route_of(uid: str) -> Route:
    """The pool of a group with workers of its own bears the group's uid."""
    return Route(uid, uid)


def inline_pool(uid: str, spec: TaskGroupSpec, work: Work, broker: Backend, link: Link) -> PoolSpec:
    """The pool that the group's spec describes."""
    pool, pools = route_of(uid).pool, link.connection.pools
    return PoolSpec(
        workers=spec.workers,
        broker=broker,
        results=spec.result_backend or broker,
        queue=pools.queue(pool),
        unacked_options=pools.worker_options(pool, POD_NAME),
        grace_seconds=spec.workers.termination_grace_period_seconds or grace_seconds(work),
        backend_hash=backend_hash(link.address),
        result_expires_seconds=result_seconds(spec),
        loss_limit=loss_limit(spec),
    )


def backend_hash(address: Address) -> str:
    """Changes with URLs and certificates, so that a rotated Secret rolls the workers; tells nothing about them."""
    urls = f"{address.broker_url} {address.results_url}"
    for given in (address.broker_certificates, address.results_certificates):
        if given != PLAIN:
            urls += f" {given.authority} {given.client} {given.client_key}"
    return hashlib.sha256(urls.encode()).hexdigest()[:16]
