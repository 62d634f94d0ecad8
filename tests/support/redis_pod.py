"""A Redis in a pod for one test, which may kill it, empty it or deny access to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.authority import Authority
from support.groups import REDIS_IMAGE
from support.kube import PODS, Kube
from support.node import kill_container, restarts

Object = dict[str, Any]
PASSWORD = "harbor"
_PORT = 6379
_FILES = "/certificates"
_AWAY = "/data/away"
_START = f'while [ -e {_AWAY} ]; do sleep 0.1; done; exec redis-server "$@"'


def redis_pod(kube: Kube, name: str = "redis", *, append_only: bool = False) -> str:
    """Create it without waiting and return its URL for pods. Its data is kept as long as the pod exists."""
    options = ["--appendonly", "yes" if append_only else "no", "--save", "", "--dir", "/data"]
    kube.apply(_pod(name, [*options, "--requirepass", PASSWORD]))
    kube.apply(service(name))
    return url(kube, name)


@contextmanager
def away(kube: Kube, name: str = "redis") -> Iterator[None]:
    """It is killed, and begins anew with what its file holds when the block ends."""
    pod = kube.read(PODS, name)
    kube.run("exec", name, "--", "touch", _AWAY)
    kill_container(kube.kubeconfig, pod, "redis")
    kube.until(
        lambda: restarts(kube.read(PODS, name), "redis") > restarts(pod, "redis"), state=lambda: kube.read(PODS, name)
    )
    try:
        yield
    finally:
        kube.run("exec", name, "--", "rm", _AWAY)


def secure_redis_pod(kube: Kube, name: str, authority: Authority) -> str:
    """The same, with a certificate of this authority; it takes clients only that have another one of it."""
    certificate, key = authority.sign(f"{name}-server", host=f"DNS:{name}.{kube.namespace}.svc")
    files = {
        "tls.crt": certificate.read_text(),
        "tls.key": key.read_text(),
        "ca.crt": authority.certificate.read_text(),
    }
    kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{name}-server"}, "stringData": files})
    options = ["--port", "0", "--tls-port", str(_PORT), "--save", "", "--dir", "/data", "--requirepass", PASSWORD]
    options += ["--tls-cert-file", f"{_FILES}/tls.crt", "--tls-key-file", f"{_FILES}/tls.key"]
    kube.apply(_pod(name, [*options, "--tls-ca-cert-file", f"{_FILES}/ca.crt"], certificates=f"{name}-server"))
    kube.apply(service(name))
    return url(kube, name).replace("redis:", "rediss:", 1)


def url(kube: Kube, name: str = "redis", password: str = PASSWORD) -> str:
    """The URL for pods."""
    return f"redis://:{password}@{name}.{kube.namespace}.svc:{_PORT}/0"


def service(name: str) -> Object:
    """The Service; without the pod, its name resolves but nothing listens."""
    spec = {"selector": {"app": name}, "ports": [{"port": _PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _pod(name: str, options: list[str], *, certificates: str | None = None) -> Object:
    limits = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container: Object = {
        "name": "redis",
        "image": REDIS_IMAGE,
        "command": ["sh", "-c", _START, "redis-server", *options],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "readinessProbe": {"tcpSocket": {"port": _PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": limits,
    }
    volumes: list[Object] = [{"name": "data", "emptyDir": {}}]
    if certificates:
        container["volumeMounts"] = [*container["volumeMounts"], {"name": "certificates", "mountPath": _FILES}]
        volumes.append({"name": "certificates", "secret": {"secretName": certificates, "defaultMode": 0o440}})
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 999,
            "fsGroup": 999,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
