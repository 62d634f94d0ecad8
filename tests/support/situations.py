"""Any look at a group or at a pool, for properties that must hold for all of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import (
    BAD,
    NONCE,
    NOW,
    UID,
    decided,
    finished,
    ledger,
    not_registered,
    queue,
    running,
    spec,
    state,
    view,
)
from support.builders import completions as ends
from support.pool_builders import claim_look, demand, ended, pool, workers
from taskgroup.api.control import SuspendMode
from taskgroup.api.names import Reason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.action import Action
from taskgroup.core.completions import Completions
from taskgroup.core.groups.observed import BrokerBooks, Observed, QueueState, Suspicion
from taskgroup.core.hooks import all_hooks
from taskgroup.core.indexes import NONE, full
from taskgroup.core.ledger import Ledger
from taskgroup.core.pools.claim_history import ClaimHistory
from taskgroup.core.pools.observed import Outage, PodFacts, PoolObserved, PoolQueue
from taskgroup.core.retries import Retries
from taskgroup.core.task_id import TaskId
from taskgroup.core.trouble import Trouble

TOTAL = 12
TROUBLE = Trouble(Reason.UNREACHABLE, "Start it.")

some = st.frozensets(st.integers(0, TOTAL - 1), max_size=5)
seldom = st.sampled_from([False, False, False, True])
seldom_some = st.just(frozenset[int]()) | st.just(frozenset[int]()) | some
seldom_trouble = st.sampled_from([None, None, None, TROUBLE])


def suspicions(absent: frozenset[int]) -> tuple[Suspicion, ...]:
    """Two searches that did not find these."""
    return tuple(Suspicion(NOW - seconds, FrozenBitMap(absent)) for seconds in (11, 1)) if absent else ()


def completions(good: frozenset[int], bad: frozenset[int], unknown: frozenset[int]) -> Completions:
    """Ends of all kinds."""
    return ends(good, bad - unknown, failure=BAD).plus(not_registered(*unknown))


queues = st.builds(
    queue, st.integers(0, 9), st.integers(0, 4), nonce=st.sampled_from([NONCE, NONCE, NONCE, None, "other"])
)
views = st.builds(
    view,
    st.integers(0, 10),
    trouble=seldom_trouble,
    current=st.booleans(),
    given_up=seldom_some.map(lambda items: frozenset(TaskId(UID, index) for index in items)),
)
all_books = st.builds(
    BrokerBooks,
    returned=some.map(FrozenBitMap),
    losses=st.dictionaries(st.integers(0, TOTAL), st.integers(0, 5), max_size=3),
)


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """What may be known of the items."""
    dispatched = draw(st.integers(0, TOTAL))
    succeeded = draw(seldom_some.map(FrozenBitMap) | st.sampled_from([NONE, full(TOTAL)]))
    unknown_tasks = draw(st.sampled_from([(), (), (), ("shop.send",)]))
    books = ledger(TOTAL, dispatched=dispatched, succeeded=succeeded, unknown_tasks=unknown_tasks)
    due = dict.fromkeys(
        [index for index in draw(seldom_some) if index < dispatched], int(NOW) + draw(st.sampled_from([-5, 5, 500]))
    )
    books = replace(books, retries=Retries(due=due, counted=dict.fromkeys(due, 1)))
    books = books.withdrawn(draw(some.map(FrozenBitMap)) & full(dispatched))
    let_go, passed, failed = (all_hooks(FrozenBitMap(draw(seldom_some))) for _ in range(3))
    return replace(books.released_with(let_go).passed_with(passed), failed_hooks=failed - passed)


@st.composite
def groups(draw: st.DrawFn) -> Observed:
    """A group in any phase, with anything around it."""
    limit = draw(st.sampled_from([None, None, None, 1, 100]))
    parallelism = draw(st.sampled_from([None, None, 3]))
    wanted = spec(
        TOTAL,
        suspend=draw(seldom),
        suspendMode=draw(st.sampled_from(SuspendMode)),
        activeDeadlineSeconds=limit,
        ttlSecondsAfterFinished=limit,
        parallelism=parallelism,
        successPolicy=draw(st.sampled_from([None, None, {"succeededPercent": 30}])),
        retryPolicy=draw(st.sampled_from([None, None, {"limit": 1, "rules": [{"action": "FailGroup"}]}, {"limit": 1}])),
        maxFailedItems=draw(st.sampled_from([None, None, 2])),
        before=draw(st.sampled_from([None, None, {"task": "shop.list"}])),
        onItemSuccess=draw(st.sampled_from([None, None, {"task": "shop.note"}])),
        onItemFailure=draw(st.sampled_from([None, None, {"task": "shop.note"}])),
    )
    seen = replace(
        running(wanted, draw(ledgers())),
        completions=draw(st.builds(completions, seldom_some, seldom_some, seldom_some)),
        queue=draw(queues | st.none()),
        view=draw(views | st.none()),
        backend_trouble=draw(seldom_trouble),
        invalid=draw(seldom_trouble),
        suspicions=suspicions(draw(seldom_some)),
    )
    seen = replace(seen, books=draw(all_books) if seen.state and draw(seldom) else None)
    return _in_phase(seen, draw(st.sampled_from(["new", "running", "running", "running", "decided", "finished"])))


def _in_phase(seen: Observed, phase: str) -> Observed:
    if phase == "new":
        return replace(seen, status=TaskGroupStatus())
    if phase == "running":
        return seen
    over = replace(seen, spec=spec(TOTAL, activeDeadlineSeconds=1), invalid=None, queue=QueueState(state()))
    later = decided(over, NOW + 50) if phase == "decided" else finished(over, NOW + 50)
    return replace(later, spec=seen.spec, invalid=seen.invalid, queue=seen.queue)


names = st.sampled_from(["a", "b", "c", "d"])
pod_facts = st.builds(
    PodFacts,
    name=st.just(""),
    ready=st.booleans(),
    terminating=st.booleans(),
    ended=st.booleans(),
    restarts=st.integers(0, 2),
    started_at=st.none() | st.sampled_from([NOW - 100, NOW]),
)


def oldest_entries(held: Mapping[str, int]) -> st.SearchStrategy[dict[str, float]]:
    """When each of these pods took the first message that it holds."""
    return st.sampled_from([NOW, NOW - 100]).map(lambda time: {pod: time for pod, count in held.items() if count})


@st.composite
def claim_histories(draw: st.DrawFn, held: Mapping[str, int]) -> ClaimHistory:
    """Looks at what these pods held: some of it known to their workers, some of it ended."""
    entries = {pod: " ".join(f"{pod}{number}" for number in range(count)) for pod, count in held.items()}
    known = {pod: names for pod, names in entries.items() if draw(st.booleans())}
    ended = draw(st.frozensets(st.sampled_from(sorted(" ".join(entries.values()).split()) or ["none"]), max_size=3))
    looks = tuple(
        claim_look(NOW - seconds, entries, draw(st.sampled_from([known, dict.fromkeys(entries, "")])), ended=ended)
        for seconds in draw(st.sampled_from([(), (0.0,), (10.0, 0.0), (60.0, 0.0)]))
    )
    asked = draw(st.sampled_from([None, NOW, NOW - 15, NOW - 400]))
    return ClaimHistory(looks=looks, asked_at=asked, calm=draw(st.integers(0, 20)))


@st.composite
def pools(draw: st.DrawFn) -> PoolObserved:
    """A pool that any group asks anything of."""
    facts = draw(st.dictionaries(names, pod_facts))
    members = tuple(replace(pod, name=name) for name, pod in sorted(facts.items()))
    held = draw(st.dictionaries(names, st.integers(0, 4)))
    asked = draw(
        st.builds(demand, st.integers(0, 60)) | st.builds(ended, leftovers=st.booleans(), give_back=st.booleans())
    )
    deployment = workers(
        draw(st.integers(0, 12)), members=members, settled=draw(st.booleans()), trouble=draw(seldom_trouble)
    )
    return pool(
        workers_spec=draw(st.sampled_from([spec().workers, spec().workers, None])),
        demand=asked,
        workers=draw(st.sampled_from([deployment, replace(deployment, deployment=None)])),
        queue=draw(st.none() | st.builds(PoolQueue, st.integers(0, 30), st.just(held), oldest_entries(held))),
        requeued=draw(st.frozensets(st.sampled_from([pod.container for pod in members]))) if members else frozenset(),
        claims=draw(claim_histories(held)),
        outages=draw(st.sampled_from([(), (), (Outage(NOW - 350, NOW - 301),), (Outage(NOW - 60, NOW - 50),)])),
    )


def kinds(module: Any) -> list[type[Action]]:
    """The actions that a module of plans defines."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Action) and value is not Action
    ]
