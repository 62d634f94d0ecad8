"""A TaskGroup that is gone though no watch told so: its loops end, and nobody else's."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from support.api_server import connected, new_group
from support.kubectl import new_namespace
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.core.meta import Meta
from taskgroup.groups import vanished
from taskgroup.groups.vanished import Vanished
from taskgroup.loops.meeting import Meetings

LOG = logging.getLogger("test")


def followed(*groups: Meta) -> Meetings:
    """As after an operator began to follow them; no watch tells what becomes of them."""
    meetings = Meetings()
    for group in groups:
        meetings.of(group.uid)
    return meetings


def gone(meetings: Meetings, groups: Sequence[Meta]) -> list[str]:
    return [group.name for group in groups if meetings.of(group.uid).gone]


@pytest.mark.parametrize("is_scoped", [False, True], ids=["all namespaces", "named ones"])
async def test_the_loops_of_a_group_end_whose_deletion_nobody_told(
    cluster: Cluster, namespace: str, *, is_scoped: bool
) -> None:
    """They went on for ever, with a connection to Redis."""
    with new_namespace() as elsewhere:
        groups = [await new_group(cluster, namespace, name) for name in ("stays", "goes")]
        groups += [await new_group(cluster, elsewhere.namespace, name) for name in ("stays-too", "goes-too")]
        meetings = followed(*groups)
        watched = (namespace, elsewhere.namespace) if is_scoped else ()
        for group in groups:
            if group.name.startswith("goes"):
                await cluster.delete(TASK_GROUPS, group.namespace, group.name)

        await Vanished(cluster, meetings, watched, LOG).look()

    assert gone(meetings, groups) == ["goes", "goes-too"]


async def test_one_of_the_same_name_that_was_made_since_is_another(cluster: Cluster, namespace: str) -> None:
    before = await new_group(cluster, namespace)
    await cluster.delete(TASK_GROUPS, namespace, before.name)
    after = await new_group(cluster, namespace)
    meetings = followed(before, after)

    await Vanished(cluster, meetings, (namespace,), LOG).look()

    assert (meetings.of(before.uid).gone, meetings.of(after.uid).gone) == (True, False)


async def test_a_list_that_is_refused_ends_nobody(group: Meta) -> None:
    meetings = followed(group)
    async with connected(user="nobody") as stranger:
        with pytest.raises(ApiError):
            await Vanished(stranger, meetings, (group.namespace,), LOG).look()

    assert not meetings.of(group.uid).gone


async def test_it_looks_again_and_again(cluster: Cluster, group: Meta, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vanished, "PERIOD_SECONDS", 0.01)
    meetings = followed(group)
    looking = asyncio.create_task(Vanished(cluster, meetings, (group.namespace,), LOG).run())
    await cluster.delete(TASK_GROUPS, group.namespace, group.name)

    # Its pool waits for nothing else.
    await meetings.of(group.uid).pool.wait(float("inf"))

    assert meetings.of(group.uid).gone
    looking.cancel()
