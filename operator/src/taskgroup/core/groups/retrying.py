"""Which failures get another attempt, and when: by the first rule that fits, and never more often than the limit."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Any

import re2

from taskgroup.api.policies import Backoff, RetryAction, RetryPolicy, RetryRule
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.completions import Failure
from taskgroup.core.hooks import hook_of
from taskgroup.core.indexes import NONE
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import STAGE_UNITS
from taskgroup.core.task_id import newest_id
from taskgroup.core.units import Units, index_of

MAX_IGNORED = 100
"""Retries of one unit that do not count; the next such failure is final."""
SOON_SECONDS = 60.0
"""Workers are kept for what is due within this time: a pod takes long to come back."""
_NO_POLICY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class RetryRules:
    """The policy of one group; the uid makes the waits of its items differ."""

    policy: RetryPolicy = _NO_POLICY
    uid: str = ""

    def apply(self, ledger: Ledger, failed: Mapping[int, Failure], now: float) -> tuple[Ledger, Mapping[int, Failure]]:
        """The ledger with the units that wait for another attempt, and the failures that are final."""
        waiting = ledger.retries.waiting
        failed = {unit: why for unit, why in failed.items() if unit not in waiting} if waiting else failed
        if self.policy == _NO_POLICY or not failed:
            return ledger, failed
        due, ignored, fatal, over = dict[int, int](), set[int](), ledger.retries.fatal, ledger.over
        for unit, failure in failed.items():
            action = RetryAction.FAIL_ITEM if unit in over else self._action(ledger, unit, failure)
            if action in (RetryAction.RETRY, RetryAction.IGNORE):
                due[unit] = self._due(ledger, unit, now)
            if action is RetryAction.IGNORE:
                ignored.add(unit)
            if action is RetryAction.FAIL_GROUP and unit not in STAGE_UNITS:
                fatal = index_of(unit)
        retries = replace(ledger.retries.put_off(due, ignored) if due else ledger.retries, fatal=fatal)
        return replace(ledger, retries=retries), {unit: why for unit, why in failed.items() if unit not in due}

    def _action(self, ledger: Ledger, unit: int, failure: Failure) -> RetryAction:
        """What is to be done; FailItem as well where no attempt is left."""
        if not failure.kind or hook_of(unit) is not None:
            return RetryAction.FAIL_ITEM
        rule = next((rule for rule in self.policy.rules or () if _fits(rule, failure)), None)
        action = rule.action if rule else RetryAction.RETRY
        if action is RetryAction.RETRY and ledger.retries.counted.get(unit, 0) >= self.policy.limit:
            return RetryAction.FAIL_ITEM
        if action is RetryAction.IGNORE and ledger.retries.ignored.get(unit, 0) >= MAX_IGNORED:
            return RetryAction.FAIL_ITEM
        return action

    def _due(self, ledger: Ledger, unit: int, now: float) -> int:
        """Whole seconds; the same at each look, whoever looks."""
        before = ledger.retries.counted.get(unit, 0) + ledger.retries.ignored.get(unit, 0)
        name = newest_id(self.uid, unit, ledger.attempts)
        return ceil(now + wait_seconds(self.policy.backoff, before, name))


NO_RULES = RetryRules()


def rules_of(spec: TaskGroupSpec | None, uid: str) -> RetryRules:
    """Those of a spec, which may have none."""
    return RetryRules(spec.retry_policy if spec and spec.retry_policy else _NO_POLICY, uid)


def wait_seconds(backoff: Backoff, before: int, name: str) -> float:
    """Before the next attempt, after so many retries; `name` is the id of the task that failed."""
    longest = float(backoff.max_seconds)
    # No power of a factor is larger than this one, so that none is too large for a float.
    wait = min(longest, backoff.initial_seconds * backoff.factor ** min(before, 64))
    return wait * (1 - backoff.jitter * zlib.crc32(name.encode()) / 2**32)


def _fits(rule: RetryRule, failure: Failure) -> bool:
    if rule.on_exception is not None and {failure.reason, failure.kind}.isdisjoint(rule.on_exception):
        return False
    return rule.on_message is None or _compiled(rule.on_message).search(failure.message) is not None


@lru_cache(maxsize=1_024)
def _compiled(pattern: str) -> Any:
    """RE2 takes time in proportion to the text, whatever the pattern: tenants write both."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def flaw(spec: TaskGroupSpec) -> str | None:
    """What is wrong with a pattern, and where."""
    return next(_flaws(spec), None)


def _flaws(spec: TaskGroupSpec) -> Iterator[str]:
    rules = spec.retry_policy.rules if spec.retry_policy else None
    for number, rule in enumerate(rules or ()):
        try:
            _compiled(rule.on_message or "")
        except re2.error as error:
            where = f"spec.retryPolicy.rules[{number}].onMessage"
            yield f"{where}: {_text(error)}: correct the pattern; its syntax is that of RE2."


def _text(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def due(ledger: Ledger, now: float) -> Units:
    """Units that get their next attempt now."""
    return ledger.retrying & ledger.retries.due_at(now) if ledger.retries.due else NONE


def far(ledger: Ledger, now: float) -> int:
    """How many items wait so long that no worker is kept for them."""
    if not ledger.retries.due:
        return 0
    return len(ledger.retrying - ledger.retries.due_at(now + SOON_SECONDS) - STAGE_UNITS)


def next_in(ledger: Ledger, now: float) -> float | None:
    """Seconds until the next one is due, or until a worker is wanted for it; None when nothing waits."""
    waiting = ledger.retrying
    times = [at - now for unit, at in ledger.retries.due.items() if unit in waiting]
    if not times:
        return None
    return max(0.0, min(map(prepared_in, times)))


def prepared_in(left: float) -> float:
    """Seconds until what is due in `left` of them runs, or until a worker is wanted for it."""
    return left if left <= SOON_SECONDS else left - SOON_SECONDS
