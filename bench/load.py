"""What a run is measured by beside time: how many requests the servers counted."""

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import redis

from taskgroup.cluster.client import Cluster

_LINE = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>[0-9.e+]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_OURS = frozenset({"taskgroups", "taskgroupledgers", "deployments", "pods", "secrets", "events"})
"""Kinds that the operator uses; nobody else does so in the benchmarks but themselves."""
_METRICS_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


async def api_requests(cluster: Cluster) -> Counter[str]:
    """Requests that the API server has answered, by verb and kind; watches are counted when they end."""
    counts = Counter[str]()
    response = await cluster._request("GET", "/metrics", [], None, {"Accept": "text/plain"}, _METRICS_SECONDS)  # noqa: SLF001
    for line in _LINE.finditer((await response.read()).decode()):
        labels = dict(_LABEL.findall(line["labels"]))
        if labels.get("resource") in _OURS and labels.get("verb") != "WATCH":
            kind = "/".join(filter(None, (labels["resource"], labels.get("subresource"))))
            counts[f"{labels['verb']} {kind}"] += int(float(line["count"]))
    return counts


def redis_calls(client: "redis.Redis", command: str) -> int:
    """How often Redis was told so."""
    stats: Any = client.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def cpu_seconds(pid: int) -> float:
    """What a process has used, as user and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
