"""The ledger between two lives of the operator: bytes in a TaskGroupLedger that moves on only from the version read."""

from taskgroup.api.ledger import MAX_SNAPSHOT_BYTES, TaskGroupLedger
from taskgroup.cluster.children import child_metadata, child_name, refuse_foreign
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ConflictError, NotFoundError, TooLargeError
from taskgroup.cluster.resources import LEDGERS
from taskgroup.core.meta import Meta


def ledger_name(meta: Meta) -> str:
    """Name of the TaskGroupLedger."""
    return f"{child_name(meta.name, meta.uid)}-ledger"


async def load(cluster: Cluster, meta: Meta) -> tuple[bytes, str] | None:
    """The saved bytes and their resourceVersion; None when nothing was saved yet.

    Where the kind is missing nothing is known of what was saved: that is a KindMissingError, never None.
    """
    try:
        ledger_object = await cluster.get(LEDGERS, meta.namespace, ledger_name(meta))
    except NotFoundError:
        return None
    refuse_foreign(meta, ledger_object, LEDGERS.kind)
    return _snapshot(ledger_object), ledger_object["metadata"]["resourceVersion"]


def _snapshot(ledger_object: Object) -> bytes:
    """What is no snapshot at all is no bytes, which nobody can read: the next save writes over it."""
    try:
        return TaskGroupLedger(snapshot=ledger_object["snapshot"]).snapshot
    except (LookupError, ValueError):
        return b""


async def save(cluster: Cluster, meta: Meta, data: bytes, resource_version: str | None) -> str:
    """Store on top of that version (None: nothing was saved yet) and return the new one.

    ConflictError when the stored one is another or gone; TooLargeError when `data` does not fit.
    """
    if len(data) > MAX_SNAPSHOT_BYTES:
        text = (
            f'The record of TaskGroup "{meta.name}" takes {len(data)} bytes, more than the {MAX_SNAPSHOT_BYTES} of a'
            " TaskGroupLedger: split the work into several TaskGroups."
        )
        raise TooLargeError(text, status=413)
    body = _ledger_object(meta, data, resource_version)
    if resource_version is None:
        stored = await cluster.create(LEDGERS, meta.namespace, body, metadata_only=True)
    else:
        stored = await _replace(cluster, body)
    return str(stored["metadata"]["resourceVersion"])


async def _replace(cluster: Cluster, body: Object) -> Object:
    try:
        return await cluster.replace(LEDGERS, body, metadata_only=True)
    except NotFoundError as error:
        raise ConflictError(f"{error.message} It was there before.", status=409) from None


def _ledger_object(meta: Meta, data: bytes, resource_version: str | None) -> Object:
    metadata = child_metadata(meta, ledger_name(meta))
    if resource_version is not None:
        metadata["resourceVersion"] = resource_version
    return {"metadata": metadata, **TaskGroupLedger(snapshot=data).dump()}
