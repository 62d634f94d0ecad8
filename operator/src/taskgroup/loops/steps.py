"""How long the steps of a look take, and what it failed by: measured in the same way in both loops."""

from typing import TypeVar

from taskgroup.cluster.errors import ApiError
from taskgroup.loops.clock import Clock
from taskgroup.loops.metrics import Controller, Fault, LookMetrics, Step
from taskgroup.transport.errors import BrokerError

_Result = TypeVar("_Result")


class Steps:
    """The steps of one look, one after the other."""

    def __init__(self, metrics: LookMetrics, controller: Controller, clock: Clock) -> None:
        self._metrics = metrics
        self._controller = controller
        self._clock = clock
        self._began = clock.monotonic()

    def done(self, step: Step, result: _Result) -> _Result:
        """The step has led to this; the next one begins."""
        now = self._clock.monotonic()
        self._metrics.took(self._controller, step, now - self._began)
        self._began = now
        return result


def fault_of(error: ApiError | BrokerError) -> Fault:
    """Who said no, or nothing."""
    return Fault.KUBERNETES if isinstance(error, ApiError) else Fault.BROKER
