"""What may happen to a group, step by step, and what must hold whatever happens."""

from collections.abc import Callable

from hypothesis import strategies as st

from support.story_ends import called_back, has_items, hooks_ended, is_good, is_partial, was_told
from support.world import AWAY, UID, World
from support.world_ghosts import end_late
from taskgroup.api.control import Retry, SuspendMode
from taskgroup.api.names import ConditionType, EventReason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.cluster.errors import ApiError, RefusedError
from taskgroup.core.indexes import parse_indexes
from taskgroup.core.ledger import Ledger
from taskgroup.core.snapshot import encode
from taskgroup.core.status.conditions import is_true
from taskgroup.core.task_id import TaskId

SECONDS = (0.0, 0.2, 1.1, 11.0, 31.0)
REFUSALS = (None, RefusedError("It is refused.", status=422), ApiError("It failed.", status=500), ApiError("Silence."))
Step = Callable[[World, int], object]


def _look(world: World, number: int) -> None:
    world.now += SECONDS[number % len(SECONDS)]
    world.look()


def _killed_look(world: World, number: int) -> None:
    world.now += SECONDS[number % len(SECONDS)]
    world.fuse = number
    world.look()
    world.fuse = None


def _blind_look(world: World, number: int) -> None:
    """The pool's loop hangs, the group's goes on."""
    world.now += SECONDS[number % len(SECONDS)]
    world.look(pool=False)


def _look_together(world: World, number: int) -> None:
    """The two loops take turns at every call to the outside."""
    world.now += SECONDS[number % len(SECONDS)]
    world.look_together()


def suspend(world: World, number: int) -> None:
    mode = SuspendMode.STOP if number % 4 == 2 else SuspendMode.DRAIN
    world.change(world.spec.model_copy(update={"suspend": number % 2 == 0, "suspend_mode": mode}))


def _cancel(world: World, _: int) -> None:
    world.change(world.spec.model_copy(update={"cancel": True}))


def retry(world: World, number: int) -> None:
    """Every time another id; mostly for all that failed or were cancelled."""
    world.retries += 1
    which = "failed" if number % 4 else "0-3,7"
    world.change(world.spec.model_copy(update={"retry": Retry(id=f"again-{world.retries}", indexes=which)}))


def _spoil(world: World, number: int) -> None:
    """The Secret goes or comes back; another generation makes the operator read it."""
    world.has_secret = number % 2 == 1
    world.change(world.spec)


def _narrow(world: World, number: int) -> None:
    world.change(world.spec.model_copy(update={"parallelism": number or None}))
    world.most_parallel = max(world.most_parallel, number) if number and world.most_parallel else None


def resize(world: World, number: int) -> None:
    """More pods may run than before, or fewer."""
    workers = world.spec.workers.model_copy(update={"max_replicas": 1 + number % 4})
    world.change(world.spec.model_copy(update={"workers": workers}))


def read(world: World, number: int) -> None:
    """The pod that reads items gets a turn, if there is one."""
    world.readers.run(world.broker, number)


def _unlearn(world: World, number: int) -> None:
    world.unknown_tasks = (frozenset({"shop.send"}), frozenset[str](), frozenset({"shop.other"}))[number % 3]


def _append(world: World, number: int) -> None:
    if world.spec.sequence is not None and world.work.total < 40:
        longer = world.spec.sequence.model_copy(update={"count": world.work.total + number})
        world.change(world.spec.model_copy(update={"sequence": longer}))


def _remove(world: World, _: int) -> None:
    """Somebody deletes the Deployment."""
    world.workers.remove()


def _refuse(world: World, number: int) -> None:
    """The API server does not take the Deployment, for one reason or another, or takes it again."""
    world.workers.refusal = REFUSALS[number % len(REFUSALS)]


def take(world: World, number: int) -> None:
    for _ in range(number + 1):
        world.take(number, world.spec.workers.concurrency)


def die_of(world: World, looks: int) -> None:
    """Whoever takes an item dies, at every look."""
    for _ in range(looks):
        world.now += 1.5
        world.look()
        world.workers.settle(world.tick())
        world.take(0, 1)
        world.workers.die(0, world.tick(), restart=False)


def succeed(world: World, number: int) -> None:
    for _ in range(number + 1):
        world.end(number)


def _ask_again(world: World, number: int) -> None:
    """A task that runs calls `self.retry`: its worker keeps the message, and runs it again."""
    running = world.in_hands()
    if running:
        world.results.ask_again(running[number % len(running)].id)


def lose(world: World, number: int) -> None:
    if world.queue:
        world.queue.pop(number % len(world.queue))


def _lose_all(world: World, _: int) -> None:
    world.broker.lose_all()
    world.results.lose_all()


def _lose_broker(world: World, _: int) -> None:
    world.broker.lose_all()


def _lose_results(world: World, _: int) -> None:
    world.results.lose_all()


def _delete_ledger(world: World, _: int) -> None:
    world.store.put_ledger(None)


def _replace_ledger(world: World, number: int) -> None:
    """By an older one, by that of another state in the broker, or by bytes that are none."""
    others = [*world.store.ledgers, encode(Ledger(total=world.work.total, nonce="foreign")), b"garbage"]
    world.store.put_ledger(others[-(number % len(others)) - 1])


def _lose_answer(world: World, number: int) -> None:
    """The broker does what it is asked, but the operator never hears of it."""
    world.lost_answer = number


def drop(world: World, number: int) -> None:
    """A worker connects anew: it forgets what it held, and nobody else notices."""
    live = world.workers.live()
    if live:
        world.broker.drop(UID, live[number % len(live)].name)


def _away(world: World, number: int) -> None:
    """The broker and the results cannot be reached, or can again."""
    world.broker.trouble = world.results.trouble = AWAY if number % 2 == 0 else None


CALM: dict[str, Step] = {
    "rest": lambda *_: None,
    "look": _look,
    "look again": _look,
    "settle": lambda world, _: world.workers.settle(world.tick()),
    "take": take,
    "succeed": succeed,
    "repeat completions": lambda world, _: world.repeat_all(),
}
STORM: dict[str, Step] = CALM | {
    "operator killed in a look": _killed_look,
    "operator killed": lambda world, _: world.kill(),
    "pool hangs": _blind_look,
    "both look at once": _look_together,
    "suspend or resume": suspend,
    "spoil or repair": _spoil,
    "fail": lambda world, number: world.end(number, "ValueError"),
    "fail by a rule": lambda world, number: world.end(number, "KeyError"),
    "task retries itself": _ask_again,
    "connection lost": drop,
    "lost task ends late": end_late,
    "container dies": lambda world, number: world.workers.die(number, world.tick(), restart=True),
    "pod dies": lambda world, number: world.workers.die(number, world.tick(), restart=False),
}
HANDS: dict[str, Step] = STORM | {"Deployment deleted": _remove, "Deployment refused or taken": _refuse}
LOSS: dict[str, Step] = STORM | {"message lost": lose}
UNKNOWN: dict[str, Step] = STORM | {"task unknown or known": _unlearn}
GROWTH: dict[str, Step] = STORM | {"append": _append}
AGAIN: dict[str, Step] = STORM | {"retry": retry}
CUT: dict[str, Step] = STORM | {"cancel": _cancel}
WIDTH: dict[str, Step] = STORM | {"narrow or widen": _narrow, "fewer or more pods": resize}
FLUSH: dict[str, Step] = STORM | {"redis loses all": _lose_all}
DEAF: dict[str, Step] = CALM | {"answer lost": _lose_answer, "suspend or resume": suspend, "narrow or widen": _narrow}
BOOKS: dict[str, Step] = CALM | {
    "fail": lambda world, number: world.end(number, "ValueError"),
    "ledger deleted": _delete_ledger,
    "ledger replaced": _replace_ledger,
    "redis loses its books": _lose_broker,
    "redis loses the results": _lose_results,
    "suspend or resume": suspend,
}
READING: dict[str, Step] = {"items are read": read, "redis loses all": _lose_all, "broker away or back": _away}
OUTAGE: dict[str, Step] = STORM | {"broker away or back": _away, "answer lost": _lose_answer}


def stories(steps: dict[str, Step]) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from(list(steps)), st.integers(0, 7)), min_size=25, max_size=60)


def lived(wanted: TaskGroupSpec, story: list[tuple[str, int]], steps: dict[str, Step], *, late: bool = False) -> World:
    """The world after a story, and after the calm that follows it; `late`: each operator is told of the past late."""
    world = World(wanted)
    world.is_watch_late = late
    return live_on(world, story, steps)


def live_on(world: World, story: list[tuple[str, int]], steps: dict[str, Step]) -> World:
    """The same of a world that was there before."""
    for name, number in story:
        steps[name](world, number)
        check(world)
    world.has_secret, world.unknown_tasks = True, frozenset()
    world.broker.trouble = world.results.trouble = None
    world.lost_answer = world.workers.refusal = None
    world.change(world.spec.model_copy(update={"suspend": False}))
    for _ in range(400):
        world.now += 7.0
        world.look()
        check(world)
        world.workers.settle(world.tick())
        read(world, 0)
        for _ in range(10):
            take(world, 5)
            succeed(world, 5)
        if is_true(world.status, ConditionType.FINISHED):
            break
    return world


def check(world: World) -> None:
    assert not world.flaws
    twice = {name: times for name, times in world.broker.sent.items() if times > 1 + world.broker.allowed[name]}
    assert not twice, "sent twice"
    memory = world.operator.following.memory
    if world.most_parallel and memory:
        books = memory.record.ledger
        ids = (TaskId(UID, unit, books.attempts.get(unit, 0)) for unit in books.in_flight(world.work.lanes))
        # A new operator may not have read yet what has ended.
        assert sum(str(name) not in world.results.ends for name in ids) <= world.most_parallel


def check_end(world: World) -> None:
    status = world.status
    assert is_true(status, ConditionType.FINISHED), f"never ended: {status.progress}, {status.conditions}"
    assert was_told(world)
    if status.total is None:
        assert not has_items(world), "nobody could say what the items are"
        return
    assert status.completed_indexes is not None
    assert status.failed_indexes is not None
    good, bad = parse_indexes(status.completed_indexes), parse_indexes(status.failed_indexes)
    assert not good & bad
    assert len(good) == status.succeeded
    assert len(bad) == status.failed
    assert status.total == len(good) + len(bad) + (status.cancelled or 0)
    assert (status.pending, status.active, status.retrying) == (0, 0, 0)
    assert hooks_ended(world, good, bad)
    is_whole = is_good(world, good, bad) and called_back(world)
    assert is_true(status, ConditionType.COMPLETE) == (is_whole or is_partial(world))
    ends = [event for event in world.store.events if event.reason in (EventReason.COMPLETED, EventReason.FAILED)]
    # An operator that dies right after the status was written never posts the event.
    assert len(ends) <= 1 + world.retries
    assert ends or world.deaths
