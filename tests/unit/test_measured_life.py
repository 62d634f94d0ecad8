"""What the metrics are told while a group lives: of the written status, of what was moved, and how long it took."""

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from support.builders import CONCURRENCY, spec
from support.stories import die_of, lose
from support.world import POOL, World
from taskgroup.api.names import Reason, State
from taskgroup.cluster.errors import ConflictError
from taskgroup.core.completions import Failure
from taskgroup.core.exchange import MAX_LOSSES


def value(world: World, name: str, **labels: str) -> float | None:
    """Of a series of the operator that lives now; labels of the group itself may be left out."""
    registry: CollectorRegistry = world.operator.metrics.registry
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            if sample.name == f"taskgroup_{name}" and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None


def started(items: int) -> World:
    world = World(spec(items))
    for _ in range(6):
        world.look()
        world.workers.settle(world.tick())
        world.now += 1
    return world


def finish(world: World) -> None:
    while world.status.state not in (State.COMPLETE, State.FAILED):
        world.take(0, 1)
        if world.in_hands():
            world.end(0)
        world.now += 1
        world.look()


def test_the_metrics_follow_a_life_to_its_end() -> None:
    world = started(5)
    assert value(world, "items_dispatched_total") == 5
    assert value(world, "items", state="active") == 5
    assert value(world, "worker_pods_started_total")
    assert value(world, "groups_finished_total", outcome="Complete") == 0, "else no rate would see the first end"
    assert value(world, "reconcile_errors_total", kind="bug") == 0

    finish(world)

    assert value(world, "state", state="Complete") == 1
    assert value(world, "items_ended_total", outcome="succeeded") == 5
    assert value(world, "item_duration_seconds_count") == 5
    assert value(world, "groups_finished_total", namespace="shop", outcome="Complete") == 1
    assert value(world, "oldest_active_seconds") == 0
    assert value(world, "ledger_saves_total", result="success")
    assert value(world, "reconcile_total", controller="workers", result="success")
    assert not world.flaws


def test_what_waited_for_its_time_was_not_sent_before() -> None:
    later = {"task": "shop.send", "options": {"countdownSeconds": 6}}
    world = World(spec(tasks=[later, {"task": "shop.send"}, later, {"task": "shop.send"}, later]))
    for _ in range(12):
        world.look()
        world.workers.settle(world.tick())
        world.now += 1

    assert value(world, "items_dispatched_total") == 5
    assert value(world, "items_redispatched_total") == 0


def test_the_oldest_item_in_flight_is_told_by_its_age() -> None:
    world = started(3)
    dispatched = world.now
    world.now += 40
    world.take(0, 1)
    world.end(0)
    world.look()

    oldest = value(world, "oldest_active_seconds")
    assert oldest is not None
    assert 40 <= oldest <= world.now - dispatched + 6


def test_the_age_of_an_item_that_hangs_grows_while_nothing_happens() -> None:
    """No status is written then, and Prometheus goes on asking."""
    world = started(3)
    dispatched = world.now - 6
    world.now += 100

    oldest = value(world, "oldest_active_seconds")
    assert oldest is not None
    assert 100 <= oldest <= world.now - dispatched


def test_what_workers_take_is_told_though_the_status_stands() -> None:
    """A pod that takes one more item is as busy as before."""
    world = started(4)
    world.take(0, 1)
    for _ in range(2):
        world.now += 2
        world.look()
    written = world.status
    assert (value(world, "held_items"), value(world, "queued_items")) == (1, 3)

    world.take(0, CONCURRENCY)
    world.now += 6
    world.look()

    assert world.status == written
    assert (value(world, "held_items"), value(world, "queued_items")) == (2, 2)


def test_the_next_operator_counts_no_end_twice() -> None:
    """It reads what had ended from the status, and has not seen the dispatch of what is in flight."""
    world = started(4)
    world.take(0, 1)
    world.end(0)
    world.now += 2
    world.look()
    world.kill()
    finish(world)

    assert value(world, "items_ended_total", outcome="succeeded") == 4
    assert value(world, "items_dispatched_total") == 0
    assert value(world, "item_duration_seconds_count") is None
    assert value(world, "groups_finished_total", namespace="shop", outcome="Complete") == 1


def refuse(*_: object) -> None:
    raise ConflictError("Somebody else wrote first.")


def test_a_status_that_cannot_be_written_is_not_told() -> None:
    world = started(2)
    before = value(world, "items_ended_total", outcome="succeeded")
    world.store.on_status = refuse
    world.take(0, 1)
    world.end(0)
    world.now += 2
    world.look()

    assert value(world, "items_ended_total", outcome="succeeded") == before == 0


def test_a_death_with_an_item_is_counted_as_soon_as_it_is_given_back() -> None:
    """The ledger's own count is read from Redis after a restart or an outage only."""
    world = started(3)
    world.take(0, 1)
    world.workers.die(0, world.tick(), restart=False)
    for _ in range(4):
        world.now += 1.5
        world.look()
        world.workers.settle(world.tick())
    assert value(world, "item_losses_total") == 1

    finish(world)

    assert value(world, "item_losses_total") == 1


def test_an_item_that_kills_workers_is_counted_as_lost_with_each_death() -> None:
    world = World(spec(1, workers={"concurrency": 1, "maxReplicas": 1}))
    die_of(world, 60)

    assert world.status.state == State.FAILED
    assert value(world, "item_losses_total") == MAX_LOSSES + 1
    assert value(world, "items_lost_total") == 1
    assert value(world, "item_failures_total", reason=Reason.LOST) == 1


def test_an_item_that_is_found_nowhere_is_counted_as_missing_and_as_sent_again() -> None:
    world = started(3)
    lose(world, 0)
    for _ in range(100):
        world.now += 1.5
        world.look()

    assert value(world, "items_missing_total") == 1
    assert value(world, "items_redispatched_total") == 1
    assert value(world, "items_dispatched_total") == 3


def test_an_attempt_that_redis_ended_is_counted_as_interrupted() -> None:
    world = started(2)
    world.take(0, 1)
    ((pod, (held,)),) = world.broker.held(POOL).items()
    closed = Failure("Reject", "AttributeError(\"'NoneType' object has no attribute 'client'\"), False")
    world.results.store(held.message.id, closed)
    world.broker.acknowledge(POOL, pod, held.message)
    for _ in range(2):
        world.now += 2
        world.look()

    assert value(world, "items_interrupted_total") == 1
    assert value(world, "items_ended_total", outcome="failed") == 0
