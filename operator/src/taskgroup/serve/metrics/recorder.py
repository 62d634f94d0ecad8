"""Takes what all parts of the operator tell of themselves, and is read by Prometheus."""

import time
from collections.abc import Callable, Sequence
from itertools import product

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector

from taskgroup.api.names import State
from taskgroup.core.groups.figures import GroupFigures
from taskgroup.core.meta import Meta
from taskgroup.loops.metrics import Controller, Fault, Move, Saved, Step
from taskgroup.serve.metrics import operator_metrics as names
from taskgroup.serve.metrics.census import Census
from taskgroup.serve.metrics.definitions import Metric
from taskgroup.serve.metrics.group_series import GroupSeries
from taskgroup.serve.metrics.readings import Readings

_ENDED = (State.COMPLETE, State.FAILED)
_RESULTS = ("success", "conflict", "error")


class Recorder:
    """Implements what loops, cluster, results and transport ask of metrics (`LookMetrics`, `RequestMetrics` …)."""

    def __init__(self, keep_seconds: float, max_groups: int, clock: Callable[[], float] = time.monotonic) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=False)
        self.readings, self.census = Readings(), Census()
        self.groups = GroupSeries(keep_seconds, max_groups, clock)
        self._clock = clock
        self._states: dict[str, str] = {}
        self._unsaved: dict[str, float] = {}
        for collector in (self.readings, self.groups):
            self.registry.register(collector)
        for process in (ProcessCollector, PlatformCollector, GCCollector):
            process(registry=self.registry)
        self._looks = self._counter(names.RECONCILES)
        self._faults = self._counter(names.RECONCILE_ERRORS)
        self._steps = self._histogram(names.RECONCILE_SECONDS)
        self._batches, self._bytes = self._counter(names.DISPATCH_BATCHES), self._counter(names.DISPATCH_BYTES)
        self._dispatch = self._histogram(names.DISPATCH_SECONDS)
        self._saves, self._saved_bytes = self._counter(names.LEDGER_SAVES), self._counter(names.LEDGER_BYTES)
        self._sweeps, self._sweep_errors = self._histogram(names.SWEEP_SECONDS), self._counter(names.SWEEP_ERRORS)
        self._swept = self._counter(names.SWEEP_ENDED)
        self._requests, self._request_seconds = (
            self._counter(names.API_REQUESTS),
            self._histogram(names.API_SECONDS),
        )
        self._calls, self._call_errors = self._histogram(names.REDIS_SECONDS), self._counter(names.REDIS_ERRORS)
        self._lag = self._histogram(names.LOOP_LAG)
        self._finished = self._counter(names.FINISHED)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """`increase()` does not see a series that begins with its first event."""
        for controller in Controller:
            for result in _RESULTS:
                self._looks.labels(controller, result)
            for fault in Fault:
                self._faults.labels(controller, fault)
        for saved in Saved:
            self._saves.labels(saved)
        # Looked up here, because they are told at every look.
        self._successes = {controller: self._looks.labels(controller, "success") for controller in Controller}
        self._step_times = {pair: self._steps.labels(*pair) for pair in product(Controller, Step)}

    # Loops

    def took(self, controller: Controller, step: Step, seconds: float) -> None:
        """See LookMetrics."""
        self._step_times[controller, step].observe(seconds)

    def succeeded(self, controller: Controller) -> None:
        """See LookMetrics."""
        self._successes[controller].inc()

    def conflicted(self, controller: Controller) -> None:
        """See LookMetrics."""
        self._looks.labels(controller, "conflict").inc()

    def failed(self, controller: Controller, fault: Fault) -> None:
        """See LookMetrics."""
        self._looks.labels(controller, "error").inc()
        self._faults.labels(controller, fault).inc()

    def late(self, seconds: float) -> None:
        """The event loop came so much too late."""
        self._lag.observe(seconds)

    # Groups

    def show(self, meta: Meta, figures: GroupFigures) -> None:
        """See GroupMetrics."""
        self.groups.show(meta, figures)
        before, now = self._states.get(meta.uid), figures.state
        self._states[meta.uid] = now
        for outcome in _ENDED:
            self._finished.labels(meta.namespace, outcome).inc(now == outcome and before not in (None, *_ENDED))

    def refresh(self, meta: Meta, figures: GroupFigures) -> None:
        """See GroupMetrics."""
        self.groups.refresh(meta, figures)

    def moved(self, meta: Meta, move: Move, items: int) -> None:
        """See GroupMetrics."""
        self.groups.moved(meta, move, items)

    def dispatched(self, size: int, seconds: float) -> None:
        """See GroupMetrics."""
        self._batches.inc()
        self._bytes.inc(size)
        self._dispatch.observe(seconds)

    def ended(self, meta: Meta, items: int, seconds: float) -> None:
        """See GroupMetrics."""
        self.groups.ended(meta, items, seconds)

    def ran(self, meta: Meta, seconds: Sequence[float]) -> None:
        """See GroupMetrics."""
        self.groups.ran(meta, seconds)

    def saved(self, meta: Meta, result: Saved, size: int) -> None:
        """See GroupMetrics."""
        self._saves.labels(result).inc()
        if result is Saved.SUCCESS:
            self._saved_bytes.inc(size)
            self._unsaved.pop(meta.uid, None)
        else:
            self.unsaved(meta)

    def unsaved(self, meta: Meta) -> None:
        """See GroupMetrics."""
        self._unsaved.setdefault(meta.uid, self._clock())

    def pods_started(self, meta: Meta, pods: int) -> None:
        """See PoolMetrics."""
        self.groups.pods_started(meta, pods)

    def restarted(self, meta: Meta, containers: int) -> None:
        """See PoolMetrics."""
        self.groups.restarted(meta, containers)

    def seen(self, uid: str, namespace: str, state: str | None) -> None:
        """See Witness."""
        self.census.seen(uid, namespace, state)

    def forget(self, uid: str) -> None:
        """The group was deleted."""
        self.groups.forget(uid)
        self.census.gone(uid)
        self._states.pop(uid, None)
        self._unsaved.pop(uid, None)

    def unsaved_seconds(self) -> float:
        """Of the ledger that has waited longest."""
        now = self._clock()
        return now - min(self._unsaved.copy().values(), default=now)

    # Kubernetes, results, Redis

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """See RequestMetrics."""
        self._requests.labels(verb, resource, str(code)).inc()
        self._request_seconds.labels(verb, resource).observe(seconds)

    def swept(self, seconds: float, ended: int) -> None:
        """See SweepMetrics."""
        self._sweeps.observe(seconds)
        self._swept.inc(ended)

    def sweep_failed(self) -> None:
        """See SweepMetrics."""
        self._sweep_errors.inc()

    def called(self, seconds: float, *, failed: bool) -> None:
        """See CallMetrics."""
        self._calls.observe(seconds)
        if failed:
            self._call_errors.inc()

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=self.registry)
