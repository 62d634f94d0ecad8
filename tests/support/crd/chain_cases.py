"""As `rule_cases`, for chains of tasks and for the callback, which may be one."""

from typing import Final

from support.crd.objects import CHAIN, TIME, Edits
from support.crd.rule_cases import TASKS, Case

IN_GROUP: Final = "args, kwargs and options belong to a task: give them to the tasks of the chain or group"
MISPLACED: Final = "args, kwargs and options belong to a task: give them to the tasks of the chain"


def chain(*tasks: object) -> Edits:
    """The template is this chain."""
    return {"spec.template": {"chain": list(tasks)}}


def group(*members: object) -> Edits:
    """The template is this group."""
    return {"spec.template": {"group": list(members)}}


def chain_options(**content: object) -> Edits:
    """The template is a chain whose second task gets these options."""
    return chain({"task": "a"}, {"task": "b", "options": content})


def task_chain(*tasks: object) -> Edits:
    """The first of two tasks is this chain."""
    return {**TASKS, "spec.tasks": [{"chain": list(tasks)}, {"task": "a"}]}


CHAIN_CASES: Final[tuple[Case, ...]] = (
    Case(
        "",
        "spec.template cannot change once the group has started: create a new TaskGroup instead",
        before={"spec.template": CHAIN},
        status={"startTime": TIME},
        accepted={"spec.template": CHAIN, "spec.items": [1, 2]},
        refused={"spec.template": {"chain": [*CHAIN["chain"], {"task": "images.send"}]}},
    ),
    Case(
        "spec",
        "timeLimitSeconds needs workers.pool prefork or gevent: the other pools ignore it",
        accepted={**chain_options(timeLimitSeconds=5), "spec.workers.pool": "gevent"},
        refused={**chain_options(timeLimitSeconds=5), "spec.workers.pool": "eventlet"},
    ),
    Case(
        "spec",
        "softTimeLimitSeconds needs workers.pool prefork: the other pools ignore it",
        accepted={**chain_options(softTimeLimitSeconds=5), "spec.workers.pool": "prefork"},
        refused={**chain_options(softTimeLimitSeconds=5), "spec.workers.pool": "threads"},
    ),
    Case(
        "spec.tasks[]",
        MISPLACED,
        accepted=task_chain({"task": "b", "args": [1], "kwargs": {"a": 1}, "options": {"immutable": True}}),
        refused={**TASKS, "spec.tasks": [{"chain": [{"task": "b"}], "args": [1]}]},
    ),
    Case(
        "spec.template",
        IN_GROUP,
        accepted=group({"task": "a", "args": [1]}, {"chain": [{"task": "b", "args": [1]}]}),
        refused={"spec.template": {"group": [{"task": "a"}], "args": [1]}},
    ),
    Case(
        "spec.template.group[].options",
        "softTimeLimitSeconds must be smaller than timeLimitSeconds",
        accepted=group({"task": "a", "options": {"timeLimitSeconds": 5, "softTimeLimitSeconds": 4}}),
        refused=group({"task": "a", "options": {"timeLimitSeconds": 5, "softTimeLimitSeconds": 5}}),
    ),
    Case(
        "spec.template.group[]",
        MISPLACED,
        accepted=group({"chain": [{"task": "a", "kwargs": {"a": 1}}]}),
        refused=group({"chain": [{"task": "a"}], "kwargs": {"a": 1}}),
    ),
    Case(
        "spec.template",
        IN_GROUP,
        accepted=chain({"task": "a", "kwargs": {"a": 1}}),
        refused={"spec.template": {"chain": [{"task": "a"}], "kwargs": {"a": 1}}},
    ),
    Case(
        "spec.template",
        IN_GROUP,
        accepted=chain({"task": "a", "options": {"immutable": True}}),
        refused={"spec.template": {"chain": [{"task": "a"}], "options": {"priority": 1}}},
    ),
    Case(
        "spec",
        "template.chain: softTimeLimitSeconds must be smaller than timeLimitSeconds",
        accepted=chain_options(timeLimitSeconds=5, softTimeLimitSeconds=4),
        refused=chain_options(timeLimitSeconds=5, softTimeLimitSeconds=6),
    ),
    Case(
        "",
        "spec.callback cannot change once the group has started: create a new TaskGroup instead",
        before={"spec.callback": CHAIN},
        status={"startTime": TIME},
        accepted={"spec.callback": CHAIN, "spec.items": [1, 2]},
        refused={"spec.callback": {"task": "images.send"}},
    ),
    Case(
        "",
        "spec.callback cannot come or go once the group has started: create a new TaskGroup instead",
        before={},
        status={"startTime": TIME},
        accepted={"spec.items": [1, 2]},
        refused={"spec.callback": {"task": "images.send"}},
    ),
    Case(
        "spec.callback",
        MISPLACED,
        accepted={"spec.callback": {"task": "a", "args": [1]}},
        refused={"spec.callback": {"chain": [{"task": "a"}], "args": [1]}},
    ),
    Case(
        "spec.callback.options",
        "softTimeLimitSeconds must be smaller than timeLimitSeconds",
        accepted={"spec.callback": {"task": "a", "options": {"timeLimitSeconds": 5, "softTimeLimitSeconds": 4}}},
        refused={"spec.callback": {"task": "a", "options": {"timeLimitSeconds": 5, "softTimeLimitSeconds": 5}}},
    ),
)

CHAIN_EXCLUSIVE: Final[dict[str, tuple[tuple[Edits, ...], tuple[Edits, ...]]]] = {
    "spec.tasks[]": (
        (TASKS, task_chain({"task": "b"})),
        ({**TASKS, "spec.tasks": [{}]}, {**TASKS, "spec.tasks": [{"task": "a", "chain": [{"task": "b"}]}]}),
    ),
    "spec.template": (
        ({}, chain({"task": "a"}), chain(*({"task": "a"} for _ in range(32)))),
        (
            {"spec.template": {}},
            {"spec.template": {"task": "a", "chain": [{"task": "b"}]}},
            {"spec.template": {"task": "a", "group": [{"task": "b"}]}},
            {"spec.template": {"chain": [{"task": "a"}], "group": [{"task": "b"}]}},
        ),
    ),
    "spec.template.group[]": (
        (group({"task": "a"}, {"chain": [{"task": "b"}]}), group(*({"task": "a"} for _ in range(32)))),
        (group({}), group({"task": "a", "chain": [{"task": "b"}]})),
    ),
    "spec.callback": (
        ({}, {"spec.callback": {"task": "a"}}, {"spec.callback": CHAIN}),
        ({"spec.callback": {}}, {"spec.callback": {"task": "a", "chain": [{"task": "b"}]}}),
    ),
}
