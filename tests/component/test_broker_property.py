"""Whatever workers, operators and accidents do to a queue, in any order: each item is in exactly one place."""

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, TypeVar

import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from kombu.transport.virtual import Message

from support.broker import Consumer, Group, consumer, open_group
from taskgroup.broker.port import GroupBroker, PoolBroker, UnitMessage
from taskgroup.core.indexes import NONE
from taskgroup.core.task_id import TaskId

T = TypeVar("T")

PER_LANE = 5
PRIORITIES = (0, 9)
TOTAL = PER_LANE * len(PRIORITIES)
LOSS_LIMIT = 2

some = st.sets(st.integers(0, TOTAL - 1))


def lane_of(index: int) -> int:
    return PRIORITIES[index // PER_LANE]


class Life(RuleBasedStateMachine):
    """`places` is what a correct broker holds; the invariant reads the real one."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.stack = ExitStack()
        self.runner = self.stack.enter_context(asyncio.Runner())
        self.client = self.stack.enter_context(redis.Redis.from_url(url))
        self.client.flushall()
        self.group: Group = self.run(open_group(url, prefix="p:"))
        self.former = self.group
        self.places = dict.fromkeys(range(TOTAL), "pending")
        self.attempts = dict.fromkeys(range(TOTAL), 0)
        self.losses: Counter[int] = Counter()
        self.cursors = dict.fromkeys(PRIORITIES, 0)
        self.workers: dict[str, Consumer] = {}
        self.held: list[tuple[str, Message]] = []
        self.born = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def groups(self) -> GroupBroker:
        return self.group.broker.groups

    @property
    def pools(self) -> PoolBroker:
        return self.group.broker.pools

    def teardown(self) -> None:
        self.run(self.group.broker.close())
        self.stack.close()

    def move(self, indexes: Any, place: str) -> None:
        self.places.update(dict.fromkeys(indexes, place))

    def messages(self, indexes: Any) -> list[bytes]:
        return [self.group.messages([i], priority=lane_of(i), attempt=self.attempts[i])[0] for i in indexes]

    def current(self, name: str) -> int | None:
        """The index of a message of an item's newest attempt."""
        item = TaskId.parse(name)
        assert item
        assert item.uid == self.group.uid
        return item.unit if self.attempts[item.unit] == item.attempt else None

    @rule(priority=st.sampled_from(PRIORITIES), count=st.integers(1, 3), again=st.booleans())
    def dispatch(self, priority: int, count: int, again: bool) -> None:
        start = self.cursors[priority]
        first = PRIORITIES.index(priority) * PER_LANE
        indexes = range(first + start, first + min(start + count, PER_LANE))
        if not indexes:
            return
        messages = self.messages(indexes)
        assert self.run(self.groups.dispatch(self.group.route, self.group.fence, priority, start, messages))
        self.cursors[priority] = start + len(indexes)
        self.move(indexes, "queued")
        if again:
            assert not self.run(self.groups.dispatch(self.group.route, self.group.fence, priority, start, messages))

    @precondition(lambda self: self.former.fence != self.group.fence)
    @rule(priority=st.sampled_from(PRIORITIES), indexes=some)
    def a_second_operator_acts_on_what_it_knew(self, priority: int, indexes: set[int]) -> None:
        fence, route = self.former.fence, self.former.route
        assert not self.run(self.groups.dispatch(route, fence, priority, self.cursors[priority], self.messages([0])))
        entries = [UnitMessage(i, lane_of(i), self.messages([i])[0], self.attempts[i]) for i in indexes]
        assert not self.run(self.groups.redispatch(route, fence, entries))
        assert self.run(self.groups.renew(route.uid, fence, indexes)) is None
        assert not self.run(self.groups.mark_missing(route.uid, fence, indexes))
        assert self.run(self.groups.withdraw(route, fence, [], running=True)) is None

    @rule(again=st.booleans(), indexes=some)
    def redispatch(self, indexes: set[int], again: bool) -> None:
        entries = [UnitMessage(i, lane_of(i), self.messages([i])[0], self.attempts[i]) for i in sorted(indexes)]
        expected = {index for index in indexes if self.places[index] == "returned"}
        assert set(self.run(self.groups.redispatch(self.group.route, self.group.fence, entries))) == expected
        self.move(expected, "queued")
        if again:
            assert not self.run(self.groups.redispatch(self.group.route, self.group.fence, entries))

    @rule()
    def withdraw(self) -> None:
        answer = self.run(self.groups.withdraw(self.group.route, self.group.fence, [], running=False))
        assert answer
        assert set(answer.queued) == {index for index, place in self.places.items() if place == "queued"}
        self.move(answer.queued, "returned")
        self.former, self.group = self.group, replace(self.group, fence=answer.fence)

    @precondition(lambda self: len(self.workers) < 3)
    @rule()
    def a_worker_starts(self) -> None:
        self.born += 1
        pod = f"pod-{self.born}"
        self.workers[pod] = self.stack.enter_context(consumer(self.url, self.group.pool, pod))

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        pod = data.draw(st.sampled_from(sorted(self.workers)))
        message = self.workers[pod].take()
        if message is None:
            assert "queued" not in self.places.values()
            return
        self.held.append((pod, message))
        if (index := self.current(message.headers["id"])) is not None:
            self.move([index], "held")

    @precondition(lambda self: self.held)
    @rule(data=st.data(), done=st.booleans())
    def finish_or_hand_back(self, data: st.DataObject, done: bool) -> None:
        pod, message = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        (self.workers[pod].ack if done else self.workers[pod].restore)(message)
        if (index := self.current(message.headers["id"])) is not None:
            self.move([index], "out" if done else "queued")

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), again=st.booleans())
    def a_worker_dies(self, data: st.DataObject, again: bool) -> None:
        pod = data.draw(st.sampled_from(sorted(self.workers)))
        del self.workers[pod]
        mine = [message for owner, message in self.held if owner == pod]
        self.held = [(owner, message) for owner, message in self.held if owner != pod]
        lost = {index for message in mine if (index := self.current(message.headers["id"])) is not None}
        given_up = self.requeue(pod)
        assert given_up <= lost
        assert {index for index in lost if self.losses[index] >= LOSS_LIMIT} == given_up
        self.losses.update(lost)
        self.move(lost - given_up, "queued")
        self.move(given_up, "out")
        if again:
            assert not self.requeue(pod)

    def requeue(self, pod: str) -> set[int]:
        """What is given up; what came back, the invariant finds on the queue."""
        groups = {self.group.uid: NONE}
        requeued = self.run(
            self.pools.requeue(
                self.group.pool.pool,
                pod,
                groups,
                before=None,
                count_loss=True,
                loss_limit=LOSS_LIMIT,
                suspect_losses=0,
            )
        )
        items = requeued.given_up
        indexes = {index for item in items if (index := self.current(str(item))) is not None}
        assert len(indexes) == len(items)
        return indexes

    @rule(number=st.integers(0, 3))
    def a_message_is_lost_on_its_way(self, number: int) -> None:
        raw: Any = self.client.rpop(self.group.pool.lists[number])
        if raw and (index := self.current(json.loads(raw)["headers"]["id"])) is not None:
            self.move([index], "lost")

    @rule()
    def what_is_missing_is_marked(self) -> None:
        missing = [index for index, place in self.places.items() if place == "lost"]
        assert self.run(self.groups.mark_missing(self.group.uid, self.group.fence, missing))
        self.move(missing, "returned")

    @rule(indexes=some)
    def attempts_end_without_counting(self, indexes: set[int]) -> None:
        ended = [index for index in sorted(indexes) if self.places[index] in {"out", "lost", "held"}]
        answer = self.run(self.groups.renew(self.group.uid, self.group.fence, ended))
        assert answer == {index: self.attempts[index] + 1 for index in ended}
        self.attempts.update(answer)
        self.move(ended, "returned")

    @invariant()
    def each_item_is_in_exactly_one_place(self) -> None:
        pool = self.group.pool
        found: Counter[tuple[int, str]] = Counter()
        queued = [raw for name in pool.lists for raw in self._list(name)]
        held = [json.loads(raw)[0] for pod in self.workers for raw in self._values(pool.unacked(pod))]
        for place, messages in (("queued", map(json.loads, queued)), ("held", held)):
            for message in messages:
                if (index := self.current(message["headers"]["id"])) is not None:
                    found[index, place] += 1
        state = self.run(self.groups.observe(self.group.route, [])).state
        assert state
        for priority in PRIORITIES:
            first = PRIORITIES.index(priority) * PER_LANE
            found.update((i, "pending") for i in range(first + state.cursors.get(priority, 0), first + PER_LANE))
        books = self.run(self.groups.books(self.group.uid))
        found.update((index, "returned") for index in books.returned)
        assert books.losses == +self.losses
        elsewhere = {"out", "lost"}
        assert found == Counter((i, place) for i, place in self.places.items() if place not in elsewhere)

    def _list(self, name: str) -> Any:
        return self.client.lrange(name, 0, -1)

    def _values(self, name: str) -> Any:
        return self.client.hvals(name)


def test_each_item_is_in_exactly_one_place(redis_url: str) -> None:
    class Here(Life):
        def __init__(self) -> None:
            super().__init__(redis_url)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
