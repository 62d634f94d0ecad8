"""Reaches a Service of the cluster from outside of it, by `kubectl port-forward`."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from taskgroup.cluster.errors import ApiError

_SERVICE = re.compile(r"^(?P<service>[a-z0-9-]+)(\.(?P<namespace>[a-z0-9-]+)(\.svc(\.[a-z0-9.-]+)?)?)?$")
_LISTENING = re.compile(rb"Forwarding from 127\.0\.0\.1:(\d+)")
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_SECONDS = 15.0


def in_cluster() -> bool:
    """Whether this process runs in a pod with a service account token."""
    return _TOKEN.exists()


@asynccontextmanager
async def forwarded(
    server: tuple[str, int], namespace: str, kubeconfig: str | None, context: str | None
) -> AsyncIterator[int | None]:
    """Yield a port of this machine that is forwarded to a server's host and port; None where it is reached directly.

    Inside a cluster nothing is forwarded. Outside, a host of the form NAME, NAME.NAMESPACE or NAME.NAMESPACE.svc…,
    except localhost, is taken for a Service, and its port is forwarded until the context ends. Raises ApiError when
    kubectl fails.
    """
    host, port = server
    service = _SERVICE.match(host)
    if in_cluster() or not service or host == "localhost":
        yield None
        return
    target = [f"service/{service['service']}", f":{port}"]
    options = [*_option("--kubeconfig", kubeconfig), *_option("--context", context)]
    command = ["kubectl", *options, "port-forward", "-n", service["namespace"] or namespace, *target]
    process = await _start(command)
    try:
        yield await _port(process, target[0])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _option(name: str, value: str | None) -> list[str]:
    return [name, value] if value else []


async def _start(command: list[str]) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    try:
        return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    except FileNotFoundError:
        text = "kubectl is needed to reach Redis from outside the cluster: install it, or run this in a pod."
        raise ApiError(text) from None


async def _port(process: asyncio.subprocess.Process, target: str) -> int:
    if process.stdout is None or process.stderr is None:
        raise ApiError(f"kubectl port-forward {target} has no output.")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _SECONDS)
    except TimeoutError:
        raise ApiError(f"kubectl port-forward {target} did not start within {_SECONDS:g} s.") from None
    listening = _LISTENING.search(line)
    if listening is None:
        message = (await process.stderr.read()).decode(errors="replace").strip()
        raise ApiError(f"kubectl port-forward {target} failed: {message}")
    return int(listening[1])
