"""What a pod is given so that it can read the source that spec.itemsFrom names: request, volumes, and variables.

The operator sees names alone: the kubelet puts the content of Secrets into the pod.
"""

import hashlib
from typing import Any

import orjson

from taskgroup.api.items_from import ItemsFrom

_FOLDER = "/source"
_FILE = "items"
_AUTHORITY_FOLDER = "/authority"
_AUTHORITY = "ca.crt"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": False, "AWS_SECRET_ACCESS_KEY": False, "AWS_SESSION_TOKEN": True}
"""By the key of the Secret, which is the variable's name, whether it may be absent."""


def request_of(items_from: ItemsFrom) -> dict[str, Any]:
    """What to read; see `taskgroup.sources.read.Request`."""
    place, name = place_of(items_from)
    s3 = items_from.s3
    return {
        "place": place,
        "name": name,
        "source": source_of(items_from),
        "format": items_from.format,
        "sha256": items_from.sha256,
        "authority": f"{_AUTHORITY_FOLDER}/{_AUTHORITY}" if items_from.ca_secret_key_ref else None,
        "s3": s3.model_dump(include={"endpoint", "bucket", "key", "region"}) if s3 else None,
    }


def source_of(items_from: ItemsFrom) -> str:
    """A digest of what the spec says: items of another source are none of these."""
    text = orjson.dumps(items_from.model_dump(mode="json", exclude_defaults=True), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]


def place_of(items_from: ItemsFrom) -> tuple[str, str]:
    """Where the pod finds the bytes, and the name that tells their format."""
    if items_from.url is not None:
        return items_from.url, items_from.url.partition("?")[0].partition("#")[0]
    if items_from.s3 is not None:
        return f"s3://{items_from.s3.bucket}/{items_from.s3.key}", items_from.s3.key
    if items_from.persistent_volume_claim is not None:
        path = items_from.persistent_volume_claim.path
        return f"{_FOLDER}/{path}", path
    key = items_from.config_map or items_from.secret
    return f"{_FOLDER}/{_FILE}", key.key if key else ""


def volumes_of(items_from: ItemsFrom | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes and mounts: of the file, and of the certificates of who signs that of a server."""
    volumes, mounts = list[dict[str, Any]](), list[dict[str, Any]]()
    if source := _volume(items_from):
        volumes.append({"name": "source"} | source)
        mounts.append({"name": "source", "mountPath": _FOLDER, "readOnly": True})
    if authority := items_from.ca_secret_key_ref if items_from else None:
        items = [{"key": authority.key, "path": _AUTHORITY}]
        volumes.append({"name": "authority", "secret": {"secretName": authority.name, "items": items}})
        mounts.append({"name": "authority", "mountPath": _AUTHORITY_FOLDER, "readOnly": True})
    return volumes, mounts


def environment_of(items_from: ItemsFrom | None) -> list[dict[str, Any]]:
    """The credentials for S3, by reference."""
    reference = items_from.s3.credentials_secret_ref if items_from and items_from.s3 else None
    if reference is None:
        return []
    return [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": reference.name, "key": key, "optional": optional}}}
        for key, optional in _CREDENTIALS.items()
    ]


def _volume(items_from: ItemsFrom | None) -> dict[str, Any] | None:
    """Of the file; None for what a server has."""
    if items_from is None:
        return None
    if key := items_from.config_map:
        return {"configMap": {"name": key.name, "items": [{"key": key.key, "path": _FILE}]}}
    if key := items_from.secret:
        return {"secret": {"secretName": key.name, "items": [{"key": key.key, "path": _FILE}]}}
    if claim := items_from.persistent_volume_claim:
        return {"persistentVolumeClaim": {"claimName": claim.claim_name, "readOnly": True}}
    return None
