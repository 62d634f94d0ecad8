"""How much runs at once: the window, the workers, and both put right when somebody removes a part."""

from support.groups import Group, holding
from support.kube import LEDGERS
from support.space import Space


def test_parallelism_bounds_what_is_in_flight(space: Space) -> None:
    group = space.create(parallelism=3, **holding(30, concurrency=4, maxReplicas=2))
    space.kube.until(lambda: group.most_at_once() == 3, state=group.status)
    assert group.in_broker() == 3
    # Only now: a test beside may kill the operator, and to the next one all seem active whose results it has not read.
    group.until(lambda seen: seen["active"] == 3)
    group.open_gate()
    group.until_finished()
    assert group.runs() == dict.fromkeys(range(30), 1)
    assert group.most_at_once() == 3


def test_parallelism_can_be_changed_while_the_group_runs(space: Space) -> None:
    group = space.create(parallelism=1, **holding(40, concurrency=4))
    group.let_pass(2)
    group.until_run(3)
    # An item is taken off the broker a moment after it has ended.
    space.kube.until(lambda: group.in_broker() == 1, state=group.status)
    group.change(parallelism=4)
    space.kube.until(lambda: group.in_broker() == 4, state=group.status)
    group.open_gate()
    group.until_finished()


def test_replicas_follow_what_is_left(space: Space) -> None:
    group = space.create(**holding(8, concurrency=1, maxReplicas=3))
    group.until_run(3)
    assert group.replicas() == 3
    group.let_end(6)
    group.until_replicas(2)
    group.let_end(1)
    group.until_replicas(1)
    group.open_gate()
    group.until_finished()
    group.until_no_workers()
    assert group.runs() == dict.fromkeys(range(8), 1), "no pod that held an item was stopped"


def test_fewer_workers_while_all_are_busy_stop_none_that_holds_an_item(space: Space) -> None:
    """A pod goes when it is found idle: with items on the queue that may take as long as they do."""
    group = space.create(**holding(40, concurrency=1, maxReplicas=3))
    group.until_run(3)
    group.change(workers={"maxReplicas": 1})
    group.let_end(39)
    group.until_replicas(1)
    group.open_gate()
    group.until_finished()
    assert group.runs() == dict.fromkeys(range(40), 1), "no pod that held an item was stopped"


def test_a_small_group_gets_no_more_workers_than_it_has_items(space: Space) -> None:
    group = space.create(**holding(3, concurrency=2, maxReplicas=10))
    group.until_run(3)
    assert group.replicas() == 2
    group.open_gate()
    group.until_finished()


def test_a_deleted_deployment_is_made_again(space: Space) -> None:
    group = space.create(**holding(16))
    group.let_end(1)
    before = group.deployment()
    assert before is not None
    space.kube.remove("deployment", group.child)
    space.kube.until(lambda: _is_new(group, before["metadata"]["uid"]), state=group.deployment)
    group.open_gate()
    status = group.until_finished()
    assert status["succeeded"] == 16


def test_what_somebody_changes_in_the_deployment_is_put_right(space: Space) -> None:
    """All that is left is with the one worker, so that further pods have nothing that would keep them."""
    group = space.create(**holding(3))
    group.let_end(1)
    group.until_run(3)
    space.kube.patch("deployment", group.child, {"spec": {"replicas": 3}})
    group.until_replicas(1)
    group.open_gate()
    group.until_finished()
    assert group.runs() == dict.fromkeys(range(3), 1)


def test_a_deleted_ledger_is_written_again(space: Space) -> None:
    group = space.create(**holding(40))
    group.let_end(4)
    before = space.kube.read(LEDGERS, f"{group.child}-ledger")
    space.kube.remove("taskgroupledger", f"{group.child}-ledger")
    group.open_gate()
    status = group.until_finished()
    assert status["succeeded"] == 40
    assert group.runs() == dict.fromkeys(range(40), 1)
    after = group.ledger()
    assert after is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


def _is_new(group: Group, old_uid: str) -> bool:
    found = group.deployment()
    return found is not None and found["metadata"]["uid"] != old_uid
