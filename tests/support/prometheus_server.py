"""A real Prometheus, Debian's, as a process that ends with the test: dashboards are tried on what it has read.

Targets have the labels that the chart's ServiceMonitors give them. They come from a file that may be written anew while
Prometheus runs, because Debian's knows no Kubernetes.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from dashboards.prometheus import Prometheus, QueryError

from support.ports import free_port
from support.wait import PATIENCE, eventually

SCRAPE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Target:
    """One pod's port. `service` is also the job."""

    address: str
    service: str
    namespace: str
    pod: str
    container: str

    def labels(self) -> dict[str, str]:
        """As the Prometheus Operator makes them of a ServiceMonitor."""
        named = {"namespace": self.namespace, "pod": self.pod, "container": self.container}
        return {"job": self.service, "service": self.service, "endpoint": "metrics", **named}


@contextmanager
def prometheus_server(
    folder: Path,
    targets: Sequence[Target] = (),
    port: int = 0,
    rules: Sequence[Path] = (),
    jobs: Sequence[Mapping[str, object]] = (),
) -> Iterator[Prometheus]:
    """The server, ready; its data is kept in the folder. Without targets it only answers from data that is there.

    `jobs` are configurations of scrapes that need more than an address.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_targets(folder, targets)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_configuration(folder, rules, jobs)))
    server = Prometheus(f"http://127.0.0.1:{port or free_port()}")
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(_command(folder, server), stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: _answers(server, process), state=(folder / "prometheus.log").read_text)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def write_targets(folder: Path, targets: Sequence[Target]) -> None:
    """What is scraped from now on. Renamed into place: Prometheus would read half a file."""
    entries = [{"targets": [target.address], "labels": target.labels()} for target in targets]
    new = folder / "targets.new"
    new.write_text(json.dumps(entries))
    new.replace(folder / "targets.json")


def _configuration(folder: Path, rules: Sequence[Path], jobs: Sequence[Mapping[str, object]]) -> dict[str, object]:
    found = [{"files": [str((folder / "targets.json").resolve())]}]
    job = {"job_name": "chart", "honor_labels": True, "file_sd_configs": found}
    interval = {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"}
    every = {**interval, "evaluation_interval": interval["scrape_interval"]}
    return {"global": every, "scrape_configs": [job, *jobs], "rule_files": [str(path.resolve()) for path in rules]}


def _command(folder: Path, server: Prometheus) -> list[str]:
    return [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={server.url.removeprefix('http://')}",
    ]


def _answers(server: Prometheus, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "prometheus has ended by itself."
    try:
        return bool(server.at("vector(1)", 1))
    except QueryError:
        return False
