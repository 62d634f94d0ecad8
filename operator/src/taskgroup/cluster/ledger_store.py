"""The ledger between two lives of the operator: bytes in a ConfigMap that moves on only from the version read."""

from base64 import b64decode, b64encode

from taskgroup.cluster.children import child_metadata, child_name, refuse_foreign
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ConflictError, NotFoundError, TooLargeError
from taskgroup.cluster.resources import CONFIG_MAPS
from taskgroup.core.meta import Meta

KEY = "ledger"
MAX_BYTES = 1_048_576
"""What the API server takes in one ConfigMap."""


def ledger_name(meta: Meta) -> str:
    """Name of the ConfigMap."""
    return f"{child_name(meta.name, meta.uid)}-ledger"


async def load(cluster: Cluster, meta: Meta) -> tuple[bytes, str] | None:
    """The saved bytes and their resourceVersion; None when nothing was saved yet."""
    try:
        found = await cluster.get(CONFIG_MAPS, meta.namespace, ledger_name(meta))
    except NotFoundError:
        return None
    refuse_foreign(meta, found, CONFIG_MAPS.kind)
    return b64decode((found.get("binaryData") or {}).get(KEY, "")), found["metadata"]["resourceVersion"]


async def save(cluster: Cluster, meta: Meta, data: bytes, resource_version: str | None) -> str:
    """Store on top of that version (None: nothing was saved yet) and return the new one.

    ConflictError when the stored one is another or gone; TooLargeError when `data` does not fit.
    """
    if len(data) > MAX_BYTES:
        text = (
            f'The record of TaskGroup "{meta.name}" takes {len(data)} bytes, more than the {MAX_BYTES} of a ConfigMap:'
            " split the work into several TaskGroups."
        )
        raise TooLargeError(text, status=413)
    body = _config_map(meta, data, resource_version)
    if resource_version is None:
        stored = await cluster.create(CONFIG_MAPS, meta.namespace, body)
    else:
        stored = await _replace(cluster, body)
    return str(stored["metadata"]["resourceVersion"])


async def _replace(cluster: Cluster, body: Object) -> Object:
    try:
        return await cluster.replace(CONFIG_MAPS, body)
    except NotFoundError as error:
        raise ConflictError(f"{error.message} It was there before.", status=409) from None


def _config_map(meta: Meta, data: bytes, resource_version: str | None) -> Object:
    metadata = child_metadata(meta, ledger_name(meta))
    if resource_version is not None:
        metadata["resourceVersion"] = resource_version
    return {"metadata": metadata, "binaryData": {KEY: b64encode(data).decode()}}
