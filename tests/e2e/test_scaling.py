"""How much runs at once: the window, the workers, and both put right when somebody removes a part."""

from support.groups import Group, counting
from support.kube import LEDGERS
from support.space import Space


def test_parallelism_bounds_what_is_in_flight(space: Space) -> None:
    group = space.create(parallelism=3, **counting(30, seconds=0.3, concurrency=4, maxReplicas=2))
    most = 0

    def has_ended() -> bool:
        nonlocal most
        in_broker, status = group.in_broker(), group.status()
        assert in_broker <= 3
        assert status.get("active", 0) <= 3
        most = max(most, in_broker)
        return status.get("state") == "Complete"

    space.kube.until(has_ended, 60, group.status)
    assert most == 3
    assert group.runs() == dict.fromkeys(range(30), 1)


def test_parallelism_can_be_changed_while_the_group_runs(space: Space) -> None:
    group = space.create(parallelism=1, **counting(40, seconds=0.3, concurrency=4))
    group.until(lambda seen: seen["succeeded"] >= 2)
    group.change(parallelism=4)
    space.kube.until(lambda: group.in_broker() == 4, 20, group.status)
    group.until_finished()


def test_replicas_follow_what_is_left(space: Space) -> None:
    group = space.create(**counting(8, seconds=1.0, concurrency=1, maxReplicas=3))
    seen: list[int] = []

    def has_ended() -> bool:
        seen.append(group.replicas())
        return group.status().get("state") == "Complete"

    space.kube.until(has_ended, 60, group.status)
    assert max(seen) == 3
    group.until_no_workers()
    busy = [count for count in seen[seen.index(3) :] if count]
    assert busy == sorted(busy, reverse=True), "replicas only fall once no further item waits"
    assert group.runs() == dict.fromkeys(range(8), 1)


def test_a_small_group_gets_no_more_workers_than_it_has_items(space: Space) -> None:
    group = space.create(**counting(3, seconds=1.0, concurrency=2, maxReplicas=10))
    group.until(lambda seen: seen["active"] == 3)
    assert group.replicas() == 2
    group.until_finished()


def test_a_deleted_deployment_is_made_again(space: Space) -> None:
    group = space.create(**counting(16, seconds=1.0))
    group.until(lambda seen: seen["succeeded"] >= 1)
    before = group.deployment()
    assert before is not None
    space.kube.remove("deployment", group.child)
    space.kube.until(lambda: _is_new(group, before["metadata"]["uid"]), 20, group.deployment)
    status = group.until_finished(seconds=90)
    assert status["succeeded"] == 16


def test_what_somebody_changes_in_the_deployment_is_put_right(space: Space) -> None:
    group = space.create(**counting(12, seconds=1.0))
    group.until(lambda seen: seen["succeeded"] >= 1)
    space.kube.patch("deployment", group.child, {"spec": {"replicas": 3}})
    space.kube.until(lambda: group.replicas() == 1, 20, group.deployment)
    group.until_finished()


def test_a_deleted_ledger_is_written_again(space: Space) -> None:
    group = space.create(**counting(40, seconds=0.5))
    group.until(lambda seen: seen["succeeded"] >= 4)
    before = space.kube.read(LEDGERS, f"{group.child}-ledger")
    space.kube.remove("taskgroupledger", f"{group.child}-ledger")
    status = group.until_finished(seconds=90)
    assert status["succeeded"] == 40
    assert group.runs() == dict.fromkeys(range(40), 1)
    after = group.ledger()
    assert after is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


def _is_new(group: Group, old_uid: str) -> bool:
    found = group.deployment()
    return found is not None and found["metadata"]["uid"] != old_uid
