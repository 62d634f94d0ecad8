"""Accepted and refused edits for each `oneOf` of the CRD, which no rule of CEL stands for."""

from typing import Final

from support.crd.chain_cases import STAGES, chain, group, task_chain
from support.crd.objects import ABSENT, CHAIN, MATRIX, Edits
from support.crd.rule_cases import COMBINED, FROM_BEFORE, FROM_URL, SEQUENCE, TASKS

SOURCES: Final[dict[str, tuple[tuple[Edits, ...], tuple[Edits, ...]]]] = {
    "spec": (
        ({}, SEQUENCE, COMBINED, FROM_BEFORE, TASKS),
        (
            {"spec.items": ABSENT},
            {"spec.sequence": {"count": 3}},
            {"spec.matrix": MATRIX},
            {**FROM_BEFORE, "spec.items": [1]},
            {"spec.tasks": [{"task": "a"}]},
            {"spec.tasks": [{"task": "a"}], "spec.template": ABSENT},
            {"spec.sequence": {"count": 3}, "spec.tasks": [{"task": "a"}]},
        ),
    ),
}
"""Of the items, which `plan` tells apart, too; by path, as below."""

ALTERNATIVES: Final = SOURCES | {
    "spec.itemsFrom": (
        (FROM_BEFORE, FROM_URL),
        ({**FROM_BEFORE, "spec.itemsFrom": {}}, {**FROM_URL, "spec.itemsFrom.secret": {"name": "a", "key": "b.csv"}}),
    ),
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
    **{
        stage: (
            ({}, {stage: {"task": "a"}}, {stage: CHAIN}),
            ({stage: {}}, {stage: {"task": "a", "chain": [{"task": "b"}]}}),
        )
        for stage in STAGES
    },
}
"""Per path of a oneOf: edits of the least TaskGroup that are accepted, and that are refused."""
