"""Whatever is wrong is refused or said in a sentence; when the cause is repaired, the group goes on by itself."""

import json
from typing import Any

from support.groups import CELERY53_IMAGE, Group, condition, manifest, probe_workers, workers
from support.redis_pod import redis_pod, service, url
from support.space import Space

SQUARE = {"task": "numbers.square", "args": ["$(item)"]}
SQUARES: dict[str, Any] = {"items": [1, 2, 3], "template": SQUARE}


def said(group: Group, kind: str, reason: str, *words: str) -> None:
    """The condition is false for this reason, in one sentence with these words, and in an event too."""
    status = group.until_said(kind, reason, *words)
    message = condition(status, kind)["message"]
    assert message.endswith(".")
    assert "\n" not in message
    assert "Traceback" not in message
    ready = condition(status, "Ready")
    assert (ready["status"], ready["message"]) == ("False", message)


def completes(group: Group) -> None:
    """It goes on and ends well, and says that all is well."""
    group.until_finished()
    kinds = ("ConfigurationValid", "BackendReachable", "WorkersReady")
    group.until(lambda seen: all(condition(seen, kind)["status"] == "True" for kind in kinds))


def test_two_sources_of_items_are_refused(space: Space) -> None:
    both = manifest("group", sequence={"count": 2}, **SQUARES)
    assert "oneOf" in space.kube.refusal("create", "--filename", "-", given=both)


def test_workers_without_an_image_are_refused(space: Space) -> None:
    bare = manifest("group", workers={"app": "demo"}, **SQUARES)
    assert "spec.workers.image" in space.kube.refusal("create", "--filename", "-", given=bare)


def test_an_unknown_placeholder_path_names_the_item(space: Space) -> None:
    items = [{"n": 1}, {"m": 2}]
    group = space.create(items=items, template={"task": "numbers.square", "args": ["$(item.n)"]})
    said(group, "ConfigurationValid", "InvalidTemplate", "Item 1", "$(item.n)")
    assert condition(group.status(), "Stalled")["status"] == "True"
    group.change(items=[{"n": 1}, {"n": 2}])
    completes(group)
    assert group.values() == [1, 4]


def test_a_task_that_no_worker_knows(space: Space) -> None:
    group = space.create(items=[1, 2, 3], template={"task": "basic.add", "args": ["$(item)", 1]})
    said(group, "ConfigurationValid", "UnknownTask", "'basic.add'", "spec.workers.app")
    assert group.status()["failed"] == 0
    group.change(workers={"image": CELERY53_IMAGE, "app": "basic"})
    completes(group)
    assert group.values() == [2, 3, 4]


def test_an_app_that_is_not_there(space: Space) -> None:
    group = space.create(workers=workers("nothing.here"), **SQUARES)
    said(group, "WorkersReady", "WorkerCrashes", '"nothing.here" cannot be imported', "workers.app")
    group.change(workers={"app": "demo"})
    completes(group)


def test_an_app_that_fails_while_it_is_imported(space: Space) -> None:
    space.kube.patch("configmap", "probe", {"data": {"broken.py": "import warehouse\n"}})
    group = space.create(workers=probe_workers(app="broken"), **SQUARES)
    said(group, "WorkersReady", "WorkerCrashes", "No module named 'warehouse'")
    group.change(workers={"app": "demo"})
    completes(group)


def test_wrong_credentials(space: Space) -> None:
    right = redis_pod(space.kube)
    space.set_broker(url(space.kube, password="lighthouse"))
    group = space.create(**SQUARES)
    said(group, "BackendReachable", "AccessDenied")
    assert "lighthouse" not in json.dumps(space.kube.get("taskgroup", "group"))
    space.set_broker(right)
    completes(group)


def test_a_redis_that_cannot_be_reached(space: Space) -> None:
    space.kube.apply(service("redis"))
    space.set_broker(url(space.kube))
    group = space.create(**SQUARES)
    said(group, "BackendReachable", "Unreachable", f"redis.{space.kube.namespace}.svc")
    redis_pod(space.kube)
    completes(group)


def test_a_redis_whose_name_is_unknown(space: Space, broker_url: str) -> None:
    space.set_broker("redis://nowhere.example.svc:6379/0")
    group = space.create(**SQUARES)
    said(group, "BackendReachable", "Unreachable", "nowhere.example.svc")
    space.set_broker(broker_url)
    completes(group)


def test_a_url_that_is_none(space: Space, broker_url: str) -> None:
    space.set_broker("amqp://somewhere")
    group = space.create(**SQUARES)
    said(group, "ConfigurationValid", "InvalidURL", "redis://")
    space.set_broker(broker_url)
    completes(group)


def test_a_secret_that_is_missing(space: Space, broker_url: str) -> None:
    group = space.create(broker={"secretKeyRef": {"name": "later"}}, **SQUARES)
    said(group, "ConfigurationValid", "SecretNotFound", '"later"')
    space.set_broker(broker_url, "later")
    completes(group)


def test_a_namespace_without_a_default_broker(space: Space) -> None:
    group = space.create(broker=None, **SQUARES)
    said(group, "ConfigurationValid", "NoBroker", "spec.broker.secretKeyRef", "redis.namespaces")


def test_an_image_that_cannot_be_pulled(space: Space) -> None:
    group = space.create(workers=workers(image="localhost:1/nothing:1"), **SQUARES)
    said(group, "WorkersReady", "ImageCannotBePulled", "localhost:1/nothing:1", "workers.image")
    group.change(workers={"image": workers()["image"]})
    completes(group)


def test_a_variable_from_a_secret_that_is_missing(space: Space) -> None:
    spec = workers(envFrom=[{"secretRef": {"name": "keys"}}])
    group = space.create(workers=spec, **SQUARES)
    said(group, "WorkersReady", "WorkerCannotStart", "keys")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"A": "b"}}
    space.kube.apply(secret)
    completes(group)


def test_items_that_change_after_the_start(space: Space) -> None:
    items = list(range(20))
    template = {"task": "probe.hold", "args": ["$(item)"]}
    group = space.create(items=items, template=template, workers=probe_workers())
    group.until(lambda seen: seen["active"] >= 1)
    group.change(items=[*items[:-1], 99])
    said(group, "ConfigurationValid", "ItemsChanged", "put them back")
    halted = group.status()
    assert halted["total"] == 20
    group.change(items=items)
    group.open_gate()
    completes(group)
    assert group.runs() == dict.fromkeys(items, 1)
    assert group.values() == items
