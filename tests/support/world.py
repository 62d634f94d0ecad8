"""The real loops in a world in memory, where the operator may die at any effect, and time is what a test says."""

import asyncio
from functools import partial
from typing import Any

from support.builders import NAME
from support.compiled import compile_work
from support.memory.groups import MemoryGroups
from support.memory.kubernetes import MemoryGroupStore, MemoryWorkers
from support.memory.pools import MemoryInspection, MemoryPools
from support.memory.readers import MemoryReaders
from support.memory.results import MemoryResults, completion
from support.memory.store import Books, Message, Store
from support.memory.turns import Turns
from support.one_loop import run
from support.world_checks import check_plan, check_status, check_told
from support.world_operator import Killed, Operator, WorldClock
from support.world_results import FOUND, returned
from taskgroup.api.names import FINALIZER, Reason
from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster.errors import ApiError, ConflictError, SecretMissingError
from taskgroup.connections.shared import Address, Connection
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.groups.cutting import cut_now
from taskgroup.core.groups.plan import Plan
from taskgroup.core.items.work import Work
from taskgroup.core.pools.plan import PoolPlan
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.task_id import TaskId
from taskgroup.groups.actions import FencedError
from taskgroup.results.sweep import Sweeper
from taskgroup.transport.errors import BrokerError

UID = "6f1c2e52-0000-4000-8000-000000000001"
POOL = UID
AWAY = BrokerError(Reason.UNREACHABLE, "Redis at redis://redis:6379/0 cannot be reached: connection refused.")


class World:
    """One TaskGroup and everything around it."""

    def __init__(self, spec: TaskGroupSpec, outside: tuple[Any, ...] = ()) -> None:
        """`outside` are the items that a pod reads, where the spec says so."""
        self.readers = MemoryReaders(outside, self.effect)
        self.clock = WorldClock()
        self.broker = Store(self.broker_effect)
        self.results = MemoryResults(self.effect)
        self.results.value_of = lambda name: returned(self.work, name, self.short_chunks, self.found)
        self.short_chunks = frozenset[int]()
        """First items of chunks whose task returns a result too few."""
        self.found = FOUND
        """What tasks before the items return."""
        self.store = MemoryGroupStore(self.effect)
        self.store.on_status = lambda old, new: check_status(self, old, new)
        self.workers = MemoryWorkers(self.held, self.effect, self._watch)
        self.fuse: int | None = None
        """Effects until the operator is killed."""
        self.lost_answer: int | None = None
        """Effects until the answer of a call to the broker is lost."""
        self.has_secret = True
        self.unknown_tasks = frozenset[str]()
        """What the workers' app does not register."""
        self.flaws: list[str] = self.workers.flaws
        self.most_parallel = spec.parallelism
        """The loosest bound that the spec ever had."""
        self.actions: list[object] = []
        """Everything that was ever planned."""
        self.taken_at: list[float] = []
        """When workers took messages off the queue."""
        self.pool_plan: PoolPlan | None = None
        self.repeats = Completions()
        """Ends that are delivered once more at the next look."""
        self._ticks = self._generation = 0
        self.change(spec)
        self.is_watch_late = False
        """The operator's watch tells the object as it was created."""
        self.retries = 0
        """How often a test asked for failed items to be run again."""
        self.deaths = 0
        """How often the operator died."""
        self.operator = self._start()

    # What a test may do

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self.clock.time

    @now.setter
    def now(self, seconds: float) -> None:
        self.clock.time = seconds

    @property
    def status(self) -> TaskGroupStatus:
        """As written."""
        return self.store.status

    @property
    def work(self) -> Work:
        """The items, cut as the written status says."""
        return self._work if phase_of(self.status) is Phase.NEW else cut_now(self._work, self.status) or self._work

    @property
    def books(self) -> Books:
        """The group's books in the broker."""
        return self.broker.books.get(UID) or Books("")

    @property
    def queue(self) -> list[Message]:
        """Messages that no worker has taken."""
        return self.broker.queues.get(POOL, [])

    def change(self, spec: TaskGroupSpec) -> None:
        """Another generation of the object."""
        self._generation += 1
        self.spec = spec
        self._work: Work = compile_work(spec, NAME, before=self.found, external=self.readers.items)
        metadata = {"uid": UID, "name": NAME, "namespace": "shop", "finalizers": [FINALIZER]}
        self.body = {"metadata": metadata | {"generation": self._generation}, "spec": spec.dump()}

    def kill(self) -> None:
        """The operator dies, and another one starts."""
        self.deaths += 1
        self.operator, self.fuse = self._start(), None
        # What one look for all pools together finds.
        self.broker.remembered.setdefault(POOL, set()).update(self.held())

    def _start(self) -> Operator:
        store, workers = Turns(self.store), Turns(self.workers)
        told, read_url = partial(check_told, self), self.read_url
        return Operator(UID, store, workers, self.readers, self.clock, self.open_connection, read_url, told)

    def look(self, *, pool: bool = True) -> Plan | None:
        """One look of the group's loop, and one of the pool's; None when the operator died, or was fenced, in it."""
        return run(self._look(pool=pool))

    def look_together(self) -> None:
        """Both loops look at the same time."""

        async def both() -> None:
            await asyncio.gather(self._look(pool=False), self._look_at_workers())

        run(both())

    def tick(self) -> float:
        """A moment later than all before, though no time that anybody would notice."""
        self._ticks += 1
        return self.now + self._ticks * 1e-6

    def held(self) -> dict[str, int]:
        """Pod to the number of messages that it, or a container it had before, took and did not acknowledge."""
        return {pod: len(hand) for pod, hand in self.broker.held(POOL).items()}

    def task_of(self, message: Message) -> str:
        """The task that it names."""
        return self.work.leaf(message.item.unit).task if message.item else ""

    def in_hands(self) -> list[Message]:
        """Everything unacknowledged."""
        return [held.message for hand in self.broker.held(POOL).values() for held in hand]

    # Workers

    def take(self, choice: int, concurrency: int) -> None:
        """A worker with a free slot takes the next message."""
        free = [pod for pod in self.workers.live() if len(self._own(pod.name)) < concurrency]
        if free:
            waiting = len(self.queue)
            self.broker.take(POOL, free[choice % len(free)].name, self.tick())
            self.taken_at += [self.now] * (waiting - len(self.queue))

    def end(self, choice: int, failure: str | None = None) -> None:
        """One running item ends: its result is written, its message acknowledged."""
        running = [(pod.name, message) for pod in self.workers.live() for message in self._own(pod.name)]
        if not running:
            return
        pod, message = running[choice % len(running)]
        end, task = Failure(failure, "bad", kind=failure) if failure else None, self.task_of(message)
        self.results.store(message.id, Failure("NotRegistered", repr(task)) if task in self.unknown_tasks else end)
        self.broker.acknowledge(POOL, pod, message)

    def _own(self, pod: str) -> list[Message]:
        """What the running container took; what a former one held is not in its hands."""
        started = next((one.started_at or 0.0 for one in self.workers.live() if one.name == pod), 0.0)
        hand = self.broker.hands.get((POOL, pod), ())
        return [held.message for held in hand if held.taken_at > started and not held.dropped]

    # What the operator is connected to

    async def read_url(self, namespace: str, reference: SecretKeyRef) -> str:
        """The broker's Secret."""
        if not self.has_secret:
            raise SecretMissingError(f'Secret "{reference.name}" in namespace "{namespace}" does not exist.')
        return "redis://redis:6379/0"

    def open_connection(self, address: Address) -> Connection:
        """Everything in memory; the sweep is called by each look."""
        del address
        inspection = MemoryInspection(self.broker, lambda: [pod.name for pod in self.workers.live()])
        sweeping: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def close() -> None:
            """Nothing is open."""

        return Connection(
            Turns(MemoryGroups(self.broker)),
            Turns(MemoryPools(self.broker)),
            inspection,
            self.results,
            Sweeper(self.results, clock=self.clock.monotonic),
            close,
            sweeping,
        )

    def effect(self) -> None:
        """Something outside is about to change, or has just changed."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed

    def _watch(self) -> None:
        """The API server tells every change of the Deployment and its pods."""
        self.operator.meeting.change_workers()

    def broker_effect(self) -> None:
        """The same in the broker, where also an answer may be lost."""
        self.effect()
        if self.lost_answer is not None:
            self.lost_answer -= 1
            if self.lost_answer < 0:
                self.lost_answer = None
                raise AWAY

    # One look

    async def _look(self, *, pool: bool) -> Plan | None:
        operator = self.operator
        try:
            await self._sweep()
            plan, _ = await operator.groups.look(self._told(), operator.meeting, operator.following)
            check_plan(self, plan)
            if pool:
                await self._look_at_workers()
            await self._search()
        except (ConflictError, FencedError):
            await operator.groups.detach(UID, operator.following)
            return None
        except (Killed, BrokerError) as error:
            if isinstance(error, Killed):
                self.kill()
            return None
        return plan

    def _told(self) -> dict[str, Any]:
        """The object as the watch tells it."""
        status = {"observedGeneration": -1} if self.is_watch_late else self.status.dump()
        version = "1" if self.is_watch_late else self.store.version
        return self.body | {"metadata": self.body["metadata"] | {"resourceVersion": version}, "status": status}

    async def _sweep(self) -> None:
        memory = self.operator.following.memory
        if memory is None or memory.intake.link is None:
            return
        link = memory.intake.link
        await link.connection.sweeper.sweep()
        link.subscription.completions = link.subscription.completions.plus(self.repeats)
        self.repeats = Completions()

    async def _look_at_workers(self) -> None:
        operator, assignment = self.operator, self.operator.meeting.assignment
        if assignment is None:
            return
        try:
            self.pool_plan = await operator.pools.look(assignment, operator.meeting, operator.pool_following)
        except (ApiError, BrokerError) as error:
            operator.pools.failed(error, assignment, operator.meeting, operator.pool_following)
        else:
            self.actions.extend(self.pool_plan.actions)

    async def _search(self) -> None:
        memory = self.operator.following.memory
        if memory is not None and memory.searches.task is not None:
            await memory.searches.task
        claiming = self.operator.pool_following.memory.claiming
        if claiming.task is not None:
            await claiming.task

    def repeat_all(self) -> None:
        """Everything that was ever said of newest attempts is said again."""
        if phase_of(self.status) is not Phase.RUNNING:
            return
        for name, failure in self.results.ends.items():
            item = TaskId.parse(name)
            if item is not None and self.books.is_newest(item):
                self.repeats = self.repeats.plus(completion(item, failure))
