"""The groups whose lives are told in `stories`: any size, any number of steps, any policies."""

from typing import Any

from hypothesis import strategies as st

from support.builders import chain_spec, chunk_spec, spec
from taskgroup.api.policies import Backoff, RetryAction, RetryPolicy, RetryRule, SuccessPolicy
from taskgroup.api.spec import TaskGroupSpec


def with_countdown(wanted: TaskGroupSpec, number: int) -> TaskGroupSpec:
    """The same whose items end with a task that waits so many seconds."""
    dumped = wanted.dump()
    template = dumped["template"]
    last = template["chain"][-1] if "chain" in template else template
    last["options"] = {"countdownSeconds": number}
    return TaskGroupSpec.model_validate(dumped)


CALLBACK = {"task": "shop.gather"}
_workers: st.SearchStrategy[dict[str, int]] = st.builds(
    dict, concurrency=st.integers(1, 3), maxReplicas=st.integers(1, 3)
)
_hooks: dict[str, st.SearchStrategy[Any]] = {
    "onItemSuccess": st.none() | st.none() | st.just({"task": "shop.note"}),
    "onItemFailure": st.none() | st.none() | st.just({"task": "shop.note", "options": {"immutable": True}}),
}
chunk_specs = st.builds(
    chunk_spec,
    st.integers(1, 5),
    st.sampled_from([1, 1, 2]),
    st.integers(1, 24),
    parallelism=st.none() | st.integers(1, 6),
    chunkResult=st.sampled_from(["Flatten", "Whole"]),
    workers=_workers,
    **_hooks,
)
BEFORE = {"task": "shop.list"}
FROM_BEFORE: dict[str, Any] = {"itemsFrom": {"before": {}}}
item_specs = st.builds(
    lambda source, steps, count, **fields: chain_spec(steps, count, **source, **fields),
    st.sampled_from(
        [{}, {}, {"before": BEFORE}, {"before": {"chain": [BEFORE, BEFORE], "prependResult": True}}]
        + [{"before": before, **FROM_BEFORE} for before in (BEFORE, {"chain": [BEFORE, BEFORE]})]
    ),
    st.sampled_from([1, 1, 2, 3]),
    st.integers(1, 24),
    parallelism=st.none() | st.integers(1, 6),
    workers=_workers,
    callback=st.none() | st.sampled_from([CALLBACK, {"chain": [CALLBACK, CALLBACK], "input": "Summary"}]),
    onFailure=st.none() | st.just({"task": "shop.complain"}),
    **_hooks,
)
specs = item_specs | chunk_specs
retry_policies = st.builds(
    RetryPolicy,
    limit=st.integers(0, 3),
    backoff=st.builds(Backoff, initial_seconds=st.integers(0, 20)),
    rules=st.none()
    | st.lists(st.sampled_from(RetryAction), max_size=1).map(
        lambda actions: [RetryRule(on_exception=["KeyError"], action=action) for action in actions]
    ),
)
retried_specs = st.builds(
    lambda wanted, **fields: wanted.model_copy(update=fields),
    specs,
    retry_policy=retry_policies,
    success_when=st.none() | st.just("index % 5 != 3"),
)
late_specs = st.builds(
    with_countdown,
    specs | retried_specs,
    st.sampled_from([1, 20, 90]),
)
"""Their items' last task is not sent before its time; no worker is kept for the longest wait."""
paced_specs = st.builds(
    lambda wanted, limit: wanted.model_copy(update={"rate_limit": limit}),
    specs | retried_specs | late_specs,
    st.sampled_from(["1/s", "9/s", "60/m"]),
)
"""Their items are sent one by one, or few at once."""
lenient_specs = st.builds(
    lambda wanted, **fields: wanted.model_copy(update=fields),
    specs | retried_specs,
    success_policy=st.none() | st.integers(1, 100).map(lambda percent: SuccessPolicy(succeeded_percent=percent)),
    max_failed_items=st.none() | st.integers(0, 5),
)
"""These may end before all of their items have."""

leaves = st.sampled_from(["shop.send", "shop.other"]).map(lambda task: {"task": task})
chains = st.lists(leaves, min_size=1, max_size=3).map(lambda chain: {"chain": chain})
tasks = leaves | chains
mixed_specs = st.builds(
    lambda tasks, **fields: spec(tasks=tasks, **fields),
    st.lists(tasks, min_size=1, max_size=16),
    workers=_workers,
)


nested_specs = st.builds(
    lambda group, **fields: spec(template={"group": group}, **fields),
    st.lists(tasks, min_size=1, max_size=4),
    count=st.integers(1, 6),
    workers=_workers,
)
