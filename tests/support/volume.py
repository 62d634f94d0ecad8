"""A PersistentVolumeClaim on a directory of this machine, for the full cluster, whose only node this machine is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.kube import Kube


@contextmanager
def claim_on(kube: Kube, name: str, folder: Path) -> Iterator[None]:
    """A claim of this name in the namespace; `folder` is one of pytest's, which others may not enter otherwise."""
    folder.chmod(0o777)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    volume = f"{kube.namespace}-{name}"
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    claim = spec | {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": volume}
    owner = {"namespace": kube.namespace, "name": name}
    place = spec | {"capacity": {"storage": "1Gi"}, "hostPath": {"path": str(folder)}, "claimRef": owner}
    for kind, named, body in (("PersistentVolume", volume, place), ("PersistentVolumeClaim", name, claim)):
        kube.apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": named}, "spec": body})
    yield
    kube.remove("pvc", name)
    kube.remove("pv", volume)
