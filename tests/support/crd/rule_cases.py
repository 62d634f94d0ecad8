"""One accepted and one refused edit for each CEL rule of the CRD; a rule without a case fails the tests."""

from dataclasses import dataclass, field
from typing import Final

from support.crd.objects import ABSENT, BACKEND, MATRIX, SIGNATURE, TIME, Edits

TASKS: Final[Edits] = {"spec.items": ABSENT, "spec.template": ABSENT, "spec.tasks": [{"task": "a"}, {"task": "b"}]}
SEQUENCE: Final[Edits] = {"spec.items": ABSENT, "spec.sequence": {"count": 3}}
COMBINED: Final[Edits] = {"spec.items": ABSENT, "spec.matrix": MATRIX}
MOUNT: Final = [{"name": "a", "mountPath": "/a"}]
SIDE: Final = {"name": "b", "image": "b"}


@dataclass(frozen=True, slots=True)
class Case:
    """Edits of the least TaskGroup (`objects.LEAST`); `before` makes it a rule about updates of an object so edited."""

    at: str
    """Path of the rule's schema."""
    message: str
    accepted: Edits
    refused: Edits
    before: Edits | None = None
    status: Edits = field(default_factory=dict)
    """Status that the stored object has before the update."""


def variable(**content: object) -> Edits:
    """The workers get one environment variable."""
    return {"spec.workers.env": [{"name": "A", **content}]}


def source(**content: object) -> Edits:
    """The workers get one variable with this source."""
    return variable(valueFrom=content)


def volume(**content: object) -> Edits:
    """The workers get one volume."""
    return {"spec.workers.volumes": [{"name": "a", **content}]}


def options(**content: object) -> Edits:
    """The template gets these options."""
    return {"spec.template.options": content}


def task_options(**content: object) -> Edits:
    """The second of two tasks gets these options."""
    return {**TASKS, "spec.tasks": [{"task": "a"}, {"task": "b", "options": content}]}


def fixed(before: Edits, refused: Edits, *, accepted: Edits | None = None) -> Case:
    """This cannot change in a group that has started; `accepted` can: to suspend it, when nothing else is given."""
    return Case(
        "",
        "template, matrix, itemsFrom, before, callback, onFailure, onItemSuccess and onItemFailure cannot change once"
        " the group has started: create a new TaskGroup instead",
        before=before,
        status={"startTime": TIME},
        accepted={**before, **(accepted or {"spec.suspend": True})},
        refused=refused,
    )


KEY: Final = {"name": "settings", "key": "a"}
FROM_BEFORE: Final[Edits] = {
    "spec.items": ABSENT,
    "spec.itemsFrom": {"before": {}},
    "spec.before": {"task": "images.list"},
}
FROM_URL: Final[Edits] = {"spec.items": ABSENT, "spec.itemsFrom": {"url": "http://files.example/a.csv"}}
CASES: Final[tuple[Case, ...]] = (
    Case(
        "",
        "the name must have at most 52 characters",
        accepted={"metadata.name": "a" * 52},
        refused={"metadata.name": "a" * 53},
    ),
    Case("", "the name must not contain dots", accepted={"metadata.name": "a-b"}, refused={"metadata.name": "a.b"}),
    fixed(
        {"spec.template": SIGNATURE},
        {"spec.template": {**SIGNATURE, "args": ["$(item)", None, 1.5, {"deep": [0]}]}},
        accepted={"spec.items": [1, 2], "spec.suspend": True},
    ),
    fixed(COMBINED, {**COMBINED, "spec.matrix.axes.path.2.deep.0": 0}),
    fixed(FROM_URL, {**FROM_URL, "spec.itemsFrom.url": "http://files.example/b.csv"}),
    Case(
        "spec",
        "items, sequence, matrix and itemsFrom need a template, and tasks must have none: each of them is a signature"
        " itself",
        accepted=TASKS,
        refused={"spec.template": ABSENT},
    ),
    Case(
        "spec",
        "itemsFrom.before needs spec.before, whose result is the list of items",
        accepted=FROM_BEFORE,
        refused={"spec.items": ABSENT, "spec.itemsFrom": {"before": {}}},
    ),
    Case(
        "spec",
        "the source of items cannot change: create a new TaskGroup instead",
        before={},
        accepted={"spec.items": [1, 2]},
        refused=TASKS,
    ),
    Case(
        "spec",
        "chunkSize needs a template: tasks have one item each",
        accepted={"spec.chunkSize": 2, "spec.template.args": ["$(items)"]},
        refused={**TASKS, "spec.chunkSize": 2},
    ),
    Case(
        "spec",
        "chunkSize and chunkResult cannot change: create a new TaskGroup instead",
        before={"spec.chunkResult": "Whole"},
        accepted={"spec.chunkResult": "Whole", "spec.chunkSize": 1, "spec.items": [1, 2]},
        refused={},
    ),
    Case(
        "spec",
        "tasks can only be appended to",
        before=TASKS,
        accepted={**TASKS, "spec.tasks": [{"task": "a"}, {"task": "b"}, {"task": "c"}]},
        refused={**TASKS, "spec.tasks": [{"task": "a"}]},
    ),
    Case(
        "spec",
        "cancel cannot be taken back",
        before={"spec.cancel": True},
        accepted={"spec.cancel": True, "spec.parallelism": 5},
        refused={},
    ),
    Case(
        "spec",
        "timeLimitSeconds needs workers.pool prefork or gevent: the other pools ignore it",
        accepted={**options(timeLimitSeconds=5), "spec.workers.pool": "gevent"},
        refused={**options(timeLimitSeconds=5), "spec.workers.pool": "threads"},
    ),
    Case(
        "spec",
        "softTimeLimitSeconds needs workers.pool prefork: the other pools ignore it",
        accepted={**task_options(softTimeLimitSeconds=5), "spec.workers.pool": "prefork"},
        refused={**task_options(softTimeLimitSeconds=5), "spec.workers.pool": "gevent"},
    ),
    Case(
        "spec",
        "broker cannot change: create a new TaskGroup instead",
        before={"spec.broker": BACKEND},
        accepted={"spec.broker": BACKEND, "spec.parallelism": 5},
        refused={"spec.broker": {"secretKeyRef": {"name": "other"}}},
    ),
    Case(
        "spec",
        "resultBackend cannot change: create a new TaskGroup instead",
        before={"spec.resultBackend": BACKEND},
        accepted={"spec.resultBackend": BACKEND, "spec.parallelism": 5},
        refused={},
    ),
    Case(
        "spec.sequence",
        "a sequence can only grow: keep start and step, and do not lower count",
        before=SEQUENCE,
        accepted={**SEQUENCE, "spec.sequence": {"count": 4, "start": 0, "step": 1}},
        refused={**SEQUENCE, "spec.sequence": {"count": 2}},
    ),
    Case(
        "spec.tasks[].options",
        "softTimeLimitSeconds must be smaller than timeLimitSeconds",
        accepted=task_options(timeLimitSeconds=5, softTimeLimitSeconds=4),
        refused=task_options(timeLimitSeconds=5, softTimeLimitSeconds=5),
    ),
    Case(
        "spec.template.options",
        "softTimeLimitSeconds must be smaller than timeLimitSeconds",
        accepted=options(timeLimitSeconds=5, softTimeLimitSeconds=4),
        refused=options(timeLimitSeconds=5, softTimeLimitSeconds=6),
    ),
    Case(
        "spec.workers",
        "pool solo runs one item at a time: set concurrency to 1, or use another pool",
        accepted={"spec.workers.pool": "solo", "spec.workers.concurrency": 1},
        refused={"spec.workers.pool": "solo"},
    ),
    Case(
        "spec.workers",
        "each of volumeMounts must name one of volumes",
        accepted={**volume(emptyDir={}), "spec.workers.volumeMounts": MOUNT},
        refused={"spec.workers.volumeMounts": MOUNT},
    ),
    Case(
        "spec.workers",
        "each of volumeMounts in initContainers must name one of workers.volumes",
        accepted={
            **volume(emptyDir={}),
            "spec.workers.initContainers": [SIDE, {**SIDE, "name": "c", "volumeMounts": MOUNT}],
        },
        refused={"spec.workers.initContainers": [{**SIDE, "volumeMounts": MOUNT}]},
    ),
    Case(
        "spec.workers",
        "each of volumeMounts in sidecars must name one of workers.volumes",
        accepted={**volume(emptyDir={}), "spec.workers.sidecars": [{**SIDE, "volumeMounts": MOUNT}]},
        refused={
            **volume(emptyDir={}),
            "spec.workers.sidecars": [{**SIDE, "volumeMounts": [{**MOUNT[0], "name": "x"}]}],
        },
    ),
    Case(
        "spec.workers",
        "initContainers and sidecars must have different names",
        accepted={"spec.workers.sidecars": [SIDE], "spec.workers.initContainers": [{**SIDE, "name": "c"}]},
        refused={"spec.workers.sidecars": [SIDE], "spec.workers.initContainers": [SIDE]},
    ),
    Case(
        "spec.workers",
        "podLabels must not hold taskgroups.dev/…, app.kubernetes.io/managed-by or pod-template-hash:"
        " these are set by the operator",
        accepted={"spec.workers.podLabels": {"team": "images", "app.kubernetes.io/part-of": "shop"}},
        refused={"spec.workers.podLabels": {"team": "images", "taskgroups.dev/uid": "other"}},
    ),
    Case(
        "spec.workers",
        "podAnnotations must not hold taskgroups.dev/…, controller.kubernetes.io/pod-deletion-cost or AppArmor"
        " profiles: these are set by the operator",
        accepted={"spec.workers.podAnnotations": {"prometheus.io/scrape": "true"}},
        refused={
            "spec.workers.podAnnotations": {"container.apparmor.security.beta.kubernetes.io/worker": "unconfined"}
        },
    ),
    Case(
        "spec.workers.initContainers[]",
        "worker is the worker's own name",
        accepted={"spec.workers.initContainers": [SIDE]},
        refused={"spec.workers.initContainers": [{**SIDE, "name": "worker"}]},
    ),
    Case(
        "spec.workers.sidecars[]",
        "worker is the worker's own name",
        accepted={"spec.workers.sidecars": [SIDE]},
        refused={"spec.workers.sidecars": [{**SIDE, "name": "worker"}]},
    ),
    Case(
        "spec.workers.resources",
        "requests must not be larger than limits",
        accepted={"spec.workers.resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": 1}}},
        refused={"spec.workers.resources": {"requests": {"cpu": "1001m"}, "limits": {"cpu": 1}}},
    ),
    Case(
        "spec.workers.env[]",
        "a variable has either value or valueFrom, not both",
        accepted=variable(),
        refused=variable(value="1", valueFrom={"configMapKeyRef": KEY}),
    ),
    Case(
        "spec.successPolicy",
        "successPolicy has exactly one of succeededCount, succeededPercent",
        accepted={"spec.successPolicy": {"succeededCount": 1}},
        refused={"spec.successPolicy": {"succeededCount": 1, "succeededPercent": 5}},
    ),
    Case(
        "spec.workers.env[].valueFrom",
        "valueFrom has exactly one of configMapKeyRef, secretKeyRef, fieldRef",
        accepted=source(secretKeyRef=KEY),
        refused=source(secretKeyRef=KEY, configMapKeyRef=KEY),
    ),
    Case(
        "spec.workers.envFrom[]",
        "an entry of envFrom has exactly one of configMapRef, secretRef",
        accepted={"spec.workers.envFrom": [{"secretRef": {"name": "a"}}]},
        refused={"spec.workers.envFrom": [{"prefix": "A_"}]},
    ),
    Case(
        "spec.workers.volumes[]",
        "a volume has exactly one of emptyDir, configMap, secret, persistentVolumeClaim, projected",
        accepted=volume(emptyDir={}),
        refused=volume(emptyDir={}, configMap={"name": "a"}),
    ),
    Case(
        "spec.workers.volumes[].projected.sources[]",
        "a projected source has exactly one of configMap, secret",
        accepted=volume(projected={"sources": [{"secret": {"name": "a"}}]}),
        refused=volume(projected={"sources": [{}]}),
    ),
)
