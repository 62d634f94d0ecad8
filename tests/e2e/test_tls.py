"""Servers that only speak TLS, each with an authority of its own, and ask who calls: for operator and workers."""

import json
from pathlib import Path
from typing import Any

from support.authority import Authority
from support.groups import SECRET
from support.kube import Kube
from support.redis_pod import secure_redis_pod
from support.space import Space

SQUARES: dict[str, Any] = {
    "sequence": {"count": 4},
    "template": {"task": "numbers.square", "args": ["$(item)"]},
    "callback": {"task": "numbers.square_all"},
}


def known(kube: Kube, authority: Authority) -> dict[str, Any]:
    """The fields of the spec with which this authority's server is reached, whose Secrets are written."""
    certificate, key = authority.sign(f"{authority.name}-client")
    files = {"tls.crt": certificate.read_text(), "tls.key": key.read_text()}
    for name, kind, data in (
        (f"{authority.name}-ca", "Opaque", {"ca.crt": authority.certificate.read_text()}),
        (f"{authority.name}-client", "kubernetes.io/tls", files),
    ):
        secret = {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": name}, "stringData": data}
        kube.apply(secret)
    return {
        "caSecretKeyRef": {"name": f"{authority.name}-ca"},
        "clientCertificateSecretRef": {"name": f"{authority.name}-client"},
    }


def test_broker_and_results_have_an_authority_each(space: Space, tmp_path: Path) -> None:
    """The operator dispatches, sweeps and reads results by TLS, and so do stock workers in their pods."""
    queue, results = Authority.new(tmp_path, "queue"), Authority.new(tmp_path, "results")
    space.set_broker(secure_redis_pod(space.kube, "queue", queue))
    space.set_broker(secure_redis_pod(space.kube, "results", results), "results")

    group = space.create(
        broker={"secretKeyRef": {"name": SECRET}, **known(space.kube, queue)},
        resultBackend={"secretKeyRef": {"name": "results"}, **known(space.kube, results)},
        **SQUARES,
    )

    status = group.until_finished()
    assert status["succeeded"] == 4
    assert json.loads(status["callback"]["result"]) == [0, 1, 16, 81]


def test_a_group_without_a_client_certificate_is_told_which_server_refuses(space: Space, tmp_path: Path) -> None:
    queue = Authority.new(tmp_path, "queue")
    space.set_broker(secure_redis_pod(space.kube, "queue", queue))
    broker = {"secretKeyRef": {"name": SECRET}, "caSecretKeyRef": known(space.kube, queue)["caSecretKeyRef"]}

    group = space.create(broker=broker, **SQUARES)

    status = group.until_said("BackendReachable", "Unreachable", f"queue.{space.kube.namespace}.svc", "certificate")
    assert status["state"] == "Pending"
