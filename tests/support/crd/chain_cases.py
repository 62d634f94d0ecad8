"""As `rule_cases`, for chains of tasks and for what runs once for the group, which may be one."""

from typing import Final

from support.crd.objects import CHAIN, Edits
from support.crd.rule_cases import TASKS, Case, fixed

IN_GROUP: Final = "args, kwargs and options belong to a task: give them to the tasks of the chain or group"
MISPLACED: Final = "args, kwargs and options belong to a task: give them to the tasks of the chain"

STAGES: Final = ("spec.before", "spec.callback")


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
    fixed(
        {"spec.template": CHAIN},
        {"spec.template": {"chain": [*CHAIN["chain"], {"task": "images.send"}]}},
        accepted={"spec.items": [1, 2]},
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
    *(
        fixed(before, refused)
        for stage in STAGES
        for before, refused in (
            ({stage: CHAIN}, {stage: {"task": "images.send"}}),
            ({stage: CHAIN}, {}),
            ({}, {stage: CHAIN}),
        )
    ),
    *(
        fixed({f"spec.{hook}": {"task": "a"}}, {f"spec.{hook}": {"task": "b"}})
        for hook in ("onFailure", "onItemSuccess", "onItemFailure")
    ),
    *(
        Case(
            stage,
            MISPLACED,
            accepted={stage: {"task": "a", "args": [1]}},
            refused={stage: {"chain": [{"task": "a"}], "args": [1]}},
        )
        for stage in STAGES
    ),
    *(
        Case(
            f"{stage}.options",
            "softTimeLimitSeconds must be smaller than timeLimitSeconds",
            accepted={stage: {"task": "a", "options": {"timeLimitSeconds": 5, "softTimeLimitSeconds": 4}}},
            refused={stage: {"task": "a", "options": {"timeLimitSeconds": 5, "softTimeLimitSeconds": 5}}},
        )
        for stage in STAGES
    ),
)
