"""What a Prometheus scrapes of the chart's release on the local cluster: operator pods, and an exporter of its Redis.

The exporter is Debian's and runs on this machine, which reaches the cluster's addresses; in a cluster it is a container
beside Redis. It has the labels that it would have there.
"""

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from support.kube import PODS, SECRETS, SERVICES, Kube
from support.ports import free_port
from support.prometheus_server import Target
from support.release import OPERATOR
from support.space import chart_redis_service
from support.wait import PATIENCE

_PORT = "metrics"


def operator_targets(system: Kube) -> list[Target]:
    """A target for each operator pod that has an address."""
    service = next(found for found in system.select(SERVICES, OPERATOR) if found["spec"]["ports"][0]["name"] == _PORT)
    port = service["spec"]["ports"][0]["port"]
    return [
        Target(f"{pod['status']['podIP']}:{port}", service["metadata"]["name"], system.namespace, name, "operator")
        for pod in system.select(PODS, OPERATOR)
        if pod["status"].get("podIP")
        for name in [pod["metadata"]["name"]]
    ]


@contextmanager
def redis_target(system: Kube) -> Iterator[Target]:
    """An exporter of the chart's Redis, as long as the context lasts. A Redis that hangs is down within a scrape."""
    service = chart_redis_service(system)
    name = service["metadata"]["name"]
    password = base64.b64decode(system.read(SECRETS, name)["data"]["password"]).decode()
    address = f"127.0.0.1:{free_port()}"
    settings = {"REDIS_ADDR": f"redis://{service['spec']['clusterIP']}:6379", "REDIS_PASSWORD": password}
    command = ["prometheus-redis-exporter", "-web.listen-address", address, "-connection-timeout", "500ms"]
    process = subprocess.Popen(
        command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield Target(address, f"{name}-metrics", system.namespace, f"{name}-0", "exporter")
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
