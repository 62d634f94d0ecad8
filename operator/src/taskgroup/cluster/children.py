"""How the objects that belong to a TaskGroup are named, labelled and owned."""

from typing import Any

from taskgroup.api.names import API_VERSION, CHILD_NAME_LENGTH, KIND, LABEL_MANAGED_BY, LABEL_NAME, LABEL_UID, MANAGER
from taskgroup.cluster.errors import ForeignError
from taskgroup.core.groups.observed import Meta


def child_name(name: str, uid: str) -> str:
    """Unlike for another TaskGroup that had the same name before."""
    return f"{name[:CHILD_NAME_LENGTH].rstrip('.-')}-{uid[:8]}"


def child_labels(meta: Meta) -> dict[str, str]:
    """Labels by which people and the operator find what belongs to a group."""
    return {LABEL_UID: meta.uid, LABEL_NAME: meta.name, LABEL_MANAGED_BY: MANAGER}


def child_metadata(meta: Meta, name: str) -> dict[str, Any]:
    """Metadata of an object that goes when the TaskGroup goes.

    Without blockOwnerDeletion, which would need the right to update TaskGroups' finalizers on some clusters.
    """
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": meta.name, "uid": meta.uid, "controller": True}
    return {"name": name, "namespace": meta.namespace, "labels": child_labels(meta), "ownerReferences": [owner]}


def refuse_foreign(meta: Meta, found: dict[str, Any], kind: str) -> None:
    """ForeignError when an object of a child's name belongs to somebody else: it is never adopted."""
    owners = found["metadata"].get("ownerReferences") or ()
    if not any(owner.get("uid") == meta.uid for owner in owners):
        name = found["metadata"]["name"]
        text = (
            f'{kind} "{name}" in namespace "{meta.namespace}" does not belong to this TaskGroup: delete or rename it.'
        )
        raise ForeignError(text, status=409)
