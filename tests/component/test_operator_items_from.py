"""Items from outside of the TaskGroup: the whole operator, and the pod's own command, run as the kubelet does."""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.kube import PODS
from support.s3_server import BUCKET, CREDENTIALS, s3_server
from support.task_groups import Bench, running_bench
from support.wait import PATIENCE, eventually
from taskgroup.api.names import LABEL_ITEMS_OF

IMAGE = "localhost/taskgroup-operator:dev"
TEMPLATE = {"task": "demo.note", "args": ["$(item.name)"]}


class Site(ThreadingHTTPServer):
    """A web server with one page."""

    content = b""
    status = 200

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.server_port}/customers.jsonl"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server
        assert isinstance(site, Site)
        self.send_response(site.status)
        self.send_header("Content-Length", str(len(site.content)))
        self.end_headers()
        self.wfile.write(site.content)

    def log_message(self, *_: Any) -> None:
        """It says nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A running operator in a namespace of its own, for all tests of this file."""
    with running_bench(tmp_path_factory.mktemp("bench"), settings={"TASKGROUP_READER_IMAGE": IMAGE}) as bench:
        yield bench


@pytest.fixture(name="bench")
def emptied_bench(shared_bench: Bench) -> Iterator[Bench]:
    """The same with nothing left from the test before."""
    with shared_bench.redis() as client:
        client.flushall()
    yield shared_bench
    shared_bench.clear()


def pods(bench: Bench, uid: str) -> list[dict[str, Any]]:
    found = bench.kube.select(PODS, f"{LABEL_ITEMS_OF}={uid}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def run_reader(bench: Bench, uid: str) -> dict[str, Any]:
    """What the kubelet does with the pod that the operator has made."""
    (pod,) = eventually(lambda: pods(bench, uid), state=lambda: bench.operator.log[-3000:])
    (container,) = pod["spec"]["containers"]
    request = next(entry["value"] for entry in container["env"] if entry["name"] == "TASKGROUP_ITEMS")
    command = [sys.executable, *container["command"][1:]]
    environment = {**os.environ, **secrets(bench, container["env"][2:])}
    environment |= {"TASKGROUP_ITEMS": request, "CELERY_BROKER_URL": bench.server.url}
    subprocess.run(command, env=environment, check=True, timeout=PATIENCE)
    return dict(pod)


def secrets(bench: Bench, variables: list[dict[str, Any]]) -> dict[str, str]:
    """What the kubelet puts into variables."""
    found: dict[str, str] = {}
    for variable in variables:
        reference = variable["valueFrom"]["secretKeyRef"]
        data = json.loads(bench.kubectl("get", "secret", reference["name"], "--output", "json").stdout)["data"]
        if reference["key"] in data or not reference["optional"]:
            found[variable["name"]] = base64.b64decode(data[reference["key"]]).decode()
    return found


def notes(bench: Bench) -> list[str]:
    with bench.redis() as client:
        return sorted(entry.decode() for entry in client.lrange("notes", 0, -1))


def lines(*names: str) -> bytes:
    return b"".join(json.dumps({"name": name}).encode() + b"\n" for name in names)


def test_what_a_url_answers_becomes_the_items(bench: Bench, site: Site) -> None:
    site.content = lines("ann", "bob", "cid")
    uid = bench.apply("mails", itemsFrom={"url": site.url}, template=TEMPLATE)

    pod = run_reader(bench, uid)
    with bench.worker(uid):
        status = bench.finished("mails")

    assert (status["state"], status["total"], status["succeeded"]) == ("Complete", 3, 3)
    assert status["items"]["count"] == 3
    assert notes(bench) == ["ann", "bob", "cid"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["containers"][0]["image"] == IMAGE
    assert "taskgroups.dev/uid" not in pod["metadata"]["labels"], "it is no worker"
    eventually(lambda: not pods(bench, uid))


def test_what_is_wrong_with_a_source_is_said_and_tried_again(bench: Bench, site: Site) -> None:
    site.status = 404
    uid = bench.apply("mails", itemsFrom={"url": site.url}, template=TEMPLATE)

    run_reader(bench, uid)

    status = bench.until("mails", lambda status: "404" in json.dumps(status))
    valid = bench.condition("mails", "ConfigurationValid")
    assert (valid["status"], valid["reason"]) == ("False", "SourceUnreadable")
    assert valid["message"] == "spec.itemsFrom: The URL answers 404 Not Found."
    assert status["state"] == "Pending"
    eventually(lambda: not pods(bench, uid))


def test_a_restarted_operator_reads_the_same_items_from_redis(bench: Bench, site: Site) -> None:
    site.content = lines(*map(str, range(50)))
    uid = bench.apply("mails", itemsFrom={"url": site.url}, template=TEMPLATE, parallelism=5)
    run_reader(bench, uid)
    bench.until("mails", lambda status: status.get("active") == 5)
    bench.operator.kill()
    site.content = lines("other")

    bench.operator.start()
    with bench.worker(uid):
        status = bench.finished("mails")

    assert (status["state"], status["succeeded"]) == ("Complete", 50)
    assert notes(bench) == sorted(map(str, range(50)))


def test_a_source_that_has_changed_is_not_mixed_with_what_was_read(bench: Bench, site: Site) -> None:
    """Redis has lost all, and what the URL answers now is another list."""
    site.content = lines(*map(str, range(50)))
    uid = bench.apply("mails", itemsFrom={"url": site.url}, template=TEMPLATE, parallelism=5)
    run_reader(bench, uid)
    bench.until("mails", lambda status: status.get("active") == 5)
    bench.operator.kill()
    with bench.redis() as client:
        client.flushall()
    site.content = lines(*map(str, range(49)))

    bench.operator.start()
    run_reader(bench, uid)

    status = bench.finished("mails")
    failed = bench.condition("mails", "Failed")
    assert (status["state"], status["total"], status["cancelled"]) == ("Failed", 50, 50)
    assert failed["reason"] == "SourceChanged"
    assert "started with 50 items" in failed["message"]
    assert "has 49 of digest" in failed["message"]
    assert notes(bench) == []


def test_items_of_an_ended_group_run_again_after_a_restart(bench: Bench, site: Site) -> None:
    """The list is nowhere but in Redis then."""
    site.content = lines("ann", "bob")
    uid = bench.apply("mails", itemsFrom={"url": site.url}, template=TEMPLATE, activeDeadlineSeconds=1)
    run_reader(bench, uid)
    assert bench.finished("mails")["cancelled"] == 2
    bench.operator.kill()
    bench.operator.start()

    bench.patch("mails", {"retry": {"id": "again", "indexes": "failed"}, "activeDeadlineSeconds": 600})
    with bench.worker(uid):
        status = bench.until("mails", lambda status: status.get("succeeded") == 2 and status["state"] == "Complete")

    assert status["lastRetryId"] == "again"
    assert notes(bench) == ["ann", "bob"]


def test_an_object_of_an_s3_server_becomes_the_items(bench: Bench, tmp_path: Path) -> None:
    literals = [f"--from-literal={name}={value}" for name, value in CREDENTIALS.items()]
    bench.kubectl("create", "secret", "generic", "s3-user", *literals)
    with s3_server(tmp_path / "data") as server:
        server.put("customers.jsonl", lines("ann", "bob"))
        place = {"endpoint": server.endpoint, "bucket": BUCKET, "key": "customers.jsonl"}
        source = {"s3": place | {"credentialsSecretRef": {"name": "s3-user"}}}
        uid = bench.apply("mails", itemsFrom=source, template=TEMPLATE)

        pod = run_reader(bench, uid)

    with bench.worker(uid):
        assert bench.finished("mails")["state"] == "Complete"
    assert notes(bench) == ["ann", "bob"]
    assert not [value for value in CREDENTIALS.values() if value in json.dumps(pod)]
    assert not [value for value in CREDENTIALS.values() if value in bench.operator.log]


def test_a_key_of_a_config_map_is_mounted_and_its_digest_compared(bench: Bench) -> None:
    source = {"configMap": {"name": "customers", "key": "customers.csv"}, "sha256": "0" * 64}
    uid = bench.apply("mails", itemsFrom=source, template=TEMPLATE)

    (pod,) = eventually(lambda: pods(bench, uid))

    mounted = {"name": "customers", "items": [{"key": "customers.csv", "path": "items"}], "defaultMode": 420}
    assert pod["spec"]["volumes"][0]["configMap"] == mounted
    (container,) = pod["spec"]["containers"]
    request = json.loads(container["env"][1]["value"])
    assert (request["place"], request["name"], request["sha256"]) == ("/source/items", "customers.csv", "0" * 64)
