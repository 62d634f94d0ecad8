"""An unacknowledged message of a live pod is a claim, not a fact: workers are asked what they really have.

When a worker loses its connection it drops what it had not begun, retries with a countdown first of all, and what it
finishes later it cannot acknowledge: all that stays in the pod's unacked hash. So: what has ended is removed, and what
the worker does not know in two looks goes back on the queue, without a loss. A worker that once dropped a delivery
never gets it back, so a decision that is carried out late is still right.
"""

from collections.abc import Iterator

from taskgroup.api.workers import Pool
from taskgroup.core.action import Action
from taskgroup.core.pools.claim_history import ClaimHistory, ClaimLook, Claims, Unacked
from taskgroup.core.pools.observed import PodFacts, PoolObserved
from taskgroup.core.pools.plan import AskClaims, Discard, PutBack, StopPod

CLAIM_SECONDS = 10.0
"""Between two looks that decide; far longer than a worker needs from its unacked entry to its own lists."""
AGED_SECONDS = 30.0
"""Only what is held for longer is worth a question, unless the broker was away."""
LEAST_SECONDS = 2.0
"""The same after the end of the group, when an item's result is enough to tell a remainder."""
MOST_SECONDS = 300.0
"""Between two looks at long tasks whose workers claim them."""
SETTLING_SECONDS = 120.0
"""After an outage: by then workers have connected again (they try every 30 s at the latest)."""
SILENT_SECONDS = 300.0
"""A worker that says nothing for so long after an outage is stopped, so that what it held goes back."""
_MARGIN_SECONDS = 60.0


def ask(seen: PoolObserved, now: float) -> tuple[Action, ...]:
    """The next look at what workers claim, when it is due."""
    pods = tuple(pod.name for pod in _holding(seen))
    due = due_at(seen, now)
    if due is None or due > now:
        return ()
    return (AskClaims(pods, reason=f"Workers have held messages for {now - _oldest(seen, now):.0f} s."),)


def due_at(seen: PoolObserved, now: float) -> float | None:
    """When the next look is due; None when no live pod holds anything."""
    if seen.queue is None or not _holding(seen) or not seen.demand.give_back:
        return None
    asked, oldest = seen.claims.asked_at, _oldest(seen, now)
    back = seen.outages[-1].until if seen.outages else None
    aged = oldest + (LEAST_SECONDS if seen.demand.ended else AGED_SECONDS)
    if back is not None and oldest < back:
        if asked is None or asked < back:
            return now
        aged = back
    if asked is None:
        return aged
    seconds = interval(seen.claims.calm)
    return max(aged, asked + (min(seconds, AGED_SECONDS) if seen.demand.ended else seconds))


def interval(calm: int) -> float:
    """Seconds to the next look."""
    return float(min(CLAIM_SECONDS * 2 ** min(calm, 10), MOST_SECONDS))


def noted(history: ClaimHistory, look: ClaimLook, back: float | None) -> ClaimHistory:
    """The history with one more look; `back` is when the broker came back last (seconds since the epoch)."""
    is_settling = back is not None and look.at - back < SETTLING_SECONDS
    open_entries = any(_is_open(look, pod, entry, is_settling) for pod, entry in _entries(look))
    calm = 0 if open_entries else history.calm + 1
    return ClaimHistory(looks=(*history.looks[-1:], look), asked_at=history.asked_at, calm=calm)


def _is_open(look: ClaimLook, pod: str, entry: Unacked, is_settling: bool) -> bool:
    if entry.id in look.ended:
        return False
    claims = look.claims.get(pod)
    return is_settling if claims is None else entry.id not in claims.ids


def settle(seen: PoolObserved, now: float) -> tuple[Action, ...]:
    """What follows from the looks so far."""
    if not seen.claims.looks or seen.queue is None or not seen.demand.give_back:
        return ()
    return (*_discarded(seen), *_put_back(seen, now), *_stopped(seen, now))


def _discarded(seen: PoolObserved) -> Iterator[Action]:
    newest = seen.claims.looks[-1]
    for pod, entries in newest.held.items():
        tags = frozenset(entry.tag for entry in entries if _has_ended(seen, newest, entry))
        if tags:
            yield Discard(pod, tags, reason="What they run has ended.")


def _has_ended(seen: PoolObserved, look: ClaimLook, entry: Unacked) -> bool:
    if entry.id in look.ended:
        return True
    item = entry.item
    return item is not None and item.uid == seen.pool and item.unit in seen.demand.over


def _put_back(seen: PoolObserved, now: float) -> Iterator[Action]:
    newest = seen.claims.looks[-1]
    for pod, entries in newest.held.items():
        open_entries = [entry for entry in entries if not _has_ended(seen, newest, entry)]
        before = _tags_before(seen, pod)
        tags = frozenset(entry.tag for entry in open_entries if _is_dropped(seen, pod, entry, before, now))
        if tags:
            yield PutBack(pod, tags, seen.demand.anew, reason="Its worker does not have them any more.")


def _tags_before(seen: PoolObserved, pod: str) -> frozenset[str]:
    """What the pod held in the look before the newest one."""
    return frozenset(entry.tag for look in seen.claims.looks[-2:-1] for entry in look.held.get(pod, ()))


def _is_dropped(seen: PoolObserved, pod: str, entry: Unacked, before: frozenset[str], now: float) -> bool:
    """Whether the worker surely will not run this delivery."""
    newest = seen.claims.looks[-1]
    if pod not in newest.claims:
        return _is_overdue(seen, newest.held[pod], entry, now)
    if entry.tag not in before:
        return False
    first = seen.claims.looks[-2]
    is_same = first.containers.get(pod) == newest.containers[pod] and newest.at - first.at >= CLAIM_SECONDS
    return is_same and all(_is_unclaimed(seen, look, pod, entry) for look in (first, newest))


def _is_unclaimed(seen: PoolObserved, look: ClaimLook, pod: str, entry: Unacked) -> bool:
    claims = look.claims.get(pod)
    if claims is None or entry.id in claims.ids:
        return False
    return not _may_wait(seen, look, pod, entry, claims)


def _may_wait(seen: PoolObserved, look: ClaimLook, pod: str, entry: Unacked, claims: Claims) -> bool:
    """Whether it may be where the worker's lists do not show it.

    A rate limit keeps tasks apart until their turn. All pools but prefork keep, over a lost connection, what waits for
    a free slot.
    """
    rate = claims.rates.get(entry.task)
    if rate is not None:
        turns = len(look.held[pod]) + 1
        waited = look.at - max(entry.taken_at, entry.eta or 0.0)
        return rate <= 0 or waited < 2 * turns / rate + _MARGIN_SECONDS
    workers = seen.workers_spec
    return workers is not None and workers.pool is not Pool.PREFORK and claims.running >= workers.concurrency


def _is_overdue(seen: PoolObserved, held: tuple[Unacked, ...], entry: Unacked, now: float) -> bool:
    """For a worker that says nothing: time limits bound how long it can take to run all that it holds."""
    limits = [one.limit for one in held]
    if seen.workers_spec is None or not all(limits):
        return False
    rounds = len(held) // seen.workers_spec.concurrency + 1
    begun = max(max(one.taken_at, one.eta or 0.0) for one in held)
    return now - max(begun, entry.taken_at) > rounds * max(limit or 0.0 for limit in limits) + _MARGIN_SECONDS


def _stopped(seen: PoolObserved, now: float) -> Iterator[Action]:
    """A worker that the broker's outage has left deaf: its pod is stopped in order, which hands back what it held.

    Not a solo worker: it says nothing while it runs a task, and drops what it holds only afterwards.
    """
    looks, workers = seen.claims.looks, seen.workers_spec
    if not seen.outages or workers is None or workers.pool is Pool.SOLO or len(looks) < 2:
        return
    back = seen.outages[-1].until
    if now - back < SILENT_SECONDS or looks[-2].at < back:
        return
    for pod in _holding(seen):
        is_silent = all(look.containers.get(pod.name) == pod.container for look in looks) and not any(
            pod.name in look.claims for look in looks
        )
        was_there = pod.started_at is not None and pod.started_at < back
        if is_silent and was_there and any(entry.taken_at < back for entry in looks[-1].held.get(pod.name, ())):
            yield StopPod(pod.name, reason="Its worker has said nothing since the broker was away.")


def _holding(seen: PoolObserved) -> list[PodFacts]:
    """Live pods that hold something."""
    held = seen.queue.held if seen.queue else {}
    return [pod for pod in seen.workers.pods if held.get(pod.name) and not pod.ended and not pod.terminating]


def _oldest(seen: PoolObserved, now: float) -> float:
    oldest = seen.queue.oldest if seen.queue else {}
    return min((oldest.get(pod.name, now) for pod in _holding(seen)), default=now)


def _entries(look: ClaimLook) -> Iterator[tuple[str, Unacked]]:
    return ((pod, entry) for pod, entries in look.held.items() for entry in entries)
