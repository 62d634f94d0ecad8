"""The series of single groups, bounded in number: a group that nobody looks at any more must not cost for ever.

A group has series while it lives and `keep_seconds` after its end. While there are more groups than `max_groups`, the
rest is added up as `other`: gauges as they are, counters from the moment on at which a group became part of it, so that
no rate sees a group come or go.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from taskgroup.core.groups.figures import GroupFigures
from taskgroup.core.meta import Meta
from taskgroup.loops.metrics import Move
from taskgroup.serve.metrics import group_metrics as names
from taskgroup.serve.metrics.buckets import Buckets
from taskgroup.serve.metrics.definitions import Kind, Metric
from taskgroup.serve.metrics.group_entry import OTHER, GroupEntry, Key, counters, gauges, sums
from taskgroup.serve.metrics.readings import Family, family_of

IDLE_SECONDS = 60.0
"""A group that has changed within this time gives its series to no other one."""
_ORDER = [value for value in vars(names).values() if isinstance(value, Metric)]
_HISTOGRAMS = [metric for metric in _ORDER if metric.kind is Kind.HISTOGRAM]


class GroupSeries(Collector):
    """All groups; told by the event loop, and read by the thread of a scrape."""

    def __init__(self, keep_seconds: float, max_groups: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep_seconds = keep_seconds
        self._max_groups = max_groups
        self._clock = clock
        self._lock = threading.Lock()
        """Of which groups there are; a group that changes its place must not be missing in a scrape."""
        self._shown: dict[str, GroupEntry] = {}
        """By uid; the one that changed last is the last."""
        self._hidden: dict[str, tuple[GroupEntry, Counter[Key]]] = {}
        """Each with its counters when it became part of `other`."""
        self._left: Counter[Key] = Counter()
        """Counters of `other` from groups that are no part of it any more."""

    @property
    def count(self) -> int:
        """How many groups have series of their own."""
        return len(self._shown)

    @property
    def hidden_count(self) -> int:
        """How many are a part of `other`."""
        return len(self._hidden)

    # What the loops tell

    def show(self, meta: Meta, figures: GroupFigures) -> None:
        """See GroupMetrics."""
        self._entry(meta).show(figures)

    def refresh(self, meta: Meta, figures: GroupFigures) -> None:
        """See GroupMetrics. The group keeps its place, and no longer than before."""
        with self._lock:
            hidden = self._hidden.get(meta.uid)
            entry = self._shown.get(meta.uid) or (hidden and hidden[0])
        if entry:
            entry.show(figures)

    def moved(self, meta: Meta, move: Move, items: int) -> None:
        """See GroupMetrics."""
        self._entry(meta).moves[move] += items

    def ended(self, meta: Meta, items: int, seconds: float) -> None:
        """See GroupMetrics."""
        self._entry(meta).durations.observe(seconds, items)

    def ran(self, meta: Meta, seconds: Sequence[float]) -> None:
        """See GroupMetrics."""
        run_times = self._entry(meta).run_times
        for value in seconds:
            run_times.observe(value)

    def pods_started(self, meta: Meta, pods: int) -> None:
        """See PoolMetrics."""
        if pods:
            self._entry(meta).pods_started += pods

    def restarted(self, meta: Meta, containers: int) -> None:
        """See PoolMetrics."""
        if containers:
            self._entry(meta).restarts += containers

    def forget(self, uid: str) -> None:
        """The group was deleted."""
        with self._lock:
            self._shown.pop(uid, None)
            self._unhide(uid)

    # What Prometheus asks

    def collect(self) -> Iterator[Family | HistogramMetricFamily]:
        """See prometheus_client."""
        with self._lock:
            self._drop_ended()
            entries, others = list(self._shown.values()), self._others()
        yield from _families(entries, others, self._clock())
        for metric in _HISTOGRAMS:
            yield _histogram(metric, entries)

    def _others(self) -> dict[Key, float]:
        total: Counter[Key] = Counter(self._left)
        for entry, base in self._hidden.values():
            total.update(_since(entry, base))
            if entry.figures:
                total.update(dict(sums(entry.figures)))
        return dict(total)

    def _entry(self, meta: Meta) -> GroupEntry:
        with self._lock:
            return self._placed(meta, self._clock())

    def _placed(self, meta: Meta, now: float) -> GroupEntry:
        """Among those that have series when there is room, else among the others."""
        entry = self._shown.pop(meta.uid, None) or self._admitted(meta, now)
        if entry is not None:
            entry.changed = now
            self._shown[meta.uid] = entry
            return entry
        hidden, _ = self._hidden.setdefault(meta.uid, (GroupEntry(meta.namespace, meta.name, now), Counter()))
        hidden.changed = now
        return hidden

    def _admitted(self, meta: Meta, now: float) -> GroupEntry | None:
        """The entry of a group that gets series now; None when there is no room."""
        if len(self._shown) >= self._max_groups and not self._make_room(now):
            return None
        return self._unhide(meta.uid) or GroupEntry(meta.namespace, meta.name, now)

    def _make_room(self, now: float) -> bool:
        self._drop_ended()
        if len(self._shown) < self._max_groups:
            return True
        uid, entry = next(iter(self._shown.items()))
        if not entry.has_ended and now - entry.changed < IDLE_SECONDS:
            return False
        del self._shown[uid]
        self._hidden[uid] = entry, Counter(dict(counters(entry)))
        return True

    def _unhide(self, uid: str) -> GroupEntry | None:
        entry, base = self._hidden.pop(uid, (None, None))
        if entry is not None and base is not None:
            self._left.update(_since(entry, base))
        return entry

    def _drop_ended(self) -> None:
        before = self._clock() - self._keep_seconds
        for uid, entry in list(self._shown.items()):
            if entry.has_ended and entry.changed < before:
                self._shown.pop(uid, None)
        for uid, (entry, _) in list(self._hidden.items()):
            if entry.has_ended and entry.changed < before:
                self._unhide(uid)


def _since(entry: GroupEntry, base: Counter[Key]) -> Counter[Key]:
    return Counter({key: value - base[key] for key, value in counters(entry)})


def _families(entries: list[GroupEntry], others: dict[Key, float], now: float) -> Iterator[Family]:
    families = {metric: family_of(metric) for metric in _ORDER if metric.kind is not Kind.HISTOGRAM}
    for entry in entries:
        labels = (entry.namespace, entry.name)
        for (metric, extra), value in _values(entry, now):
            families[metric].add_metric((*labels, *extra), value)
    for (metric, extra), value in others.items():
        families[metric].add_metric(("", OTHER, *extra), value)
    yield from families.values()


def _values(entry: GroupEntry, now: float) -> Iterator[tuple[Key, float]]:
    yield from counters(entry)
    if entry.figures:
        yield from gauges(entry.figures, now)
        yield from sums(entry.figures)


def _histogram(metric: Metric, entries: list[GroupEntry]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for entry in entries:
        buckets: Buckets = entry.durations if metric is names.DURATION_SECONDS else entry.run_times
        if buckets:
            family.add_metric((entry.namespace, entry.name), buckets.cumulative(), buckets.total)
    return family
