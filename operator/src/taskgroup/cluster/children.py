"""How the objects that belong to a TaskGroup are named, labelled and owned."""

from typing import Any

from taskgroup.api.names import API_VERSION, CHILD_NAME_LENGTH, KIND, LABEL_MANAGED_BY, LABEL_NAME, LABEL_UID, MANAGER
from taskgroup.cluster.errors import ForeignError
from taskgroup.core.meta import Meta


def child_name(name: str, uid: str) -> str:
    """Name of a child object. It contains a part of the uid: a later TaskGroup of the same name gets another one."""
    return f"{name[:CHILD_NAME_LENGTH].rstrip('.-')}-{uid[:8]}"


def child_labels(meta: Meta) -> dict[str, str]:
    """The labels that select the children of a TaskGroup."""
    return {LABEL_UID: meta.uid, LABEL_NAME: meta.name, LABEL_MANAGED_BY: MANAGER}


def child_metadata(meta: Meta, name: str) -> dict[str, Any]:
    """Metadata of a child object, which is deleted with its TaskGroup.

    blockOwnerDeletion is not set: on some clusters it needs the right to update TaskGroups' finalizers.
    """
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": meta.name, "uid": meta.uid, "controller": True}
    return {"name": name, "namespace": meta.namespace, "labels": child_labels(meta), "ownerReferences": [owner]}


def refuse_foreign(meta: Meta, child: dict[str, Any], kind: str) -> None:
    """Raise ForeignError when the TaskGroup does not own the object; such an object is never adopted."""
    owners = child["metadata"].get("ownerReferences") or ()
    if not any(owner.get("uid") == meta.uid for owner in owners):
        name = child["metadata"]["name"]
        text = (
            f'{kind} "{name}" in namespace "{meta.namespace}" does not belong to this TaskGroup: delete or rename it.'
        )
        raise ForeignError(text, status=409)
