"""Whether the bearer of a token may read the metrics: the API server says it, by two reviews."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from enum import Enum, auto

from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS

REMEMBERED_SECONDS = 10.0
"""A right that was taken away lasts so much longer."""
_MOST_REMEMBERED = 1_000
_REVIEWS_AT_ONCE = 2
"""Whoever sends tokens of any kind takes no more of the operator's connections than these."""
_log = logging.getLogger(__name__)


class Access(Enum):
    """What the API server says of a token."""

    UNKNOWN = auto()
    """It is nobody's."""
    DENIED = auto()
    ALLOWED = auto()


class MetricsAccess:
    """Asks once in ten seconds for each token."""

    def __init__(self, cluster: Cluster, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`path` is the URL path that a user must have the right to get."""
        self._cluster = cluster
        self._path = path
        self._clock = clock
        self._reviews = asyncio.Semaphore(_REVIEWS_AT_ONCE)
        self._answers: dict[bytes, tuple[float, Access]] = {}
        """By the token's digest: until when it counts, and what it is."""

    async def check(self, token: str) -> Access:
        """Without an answer of the API server nobody is let in."""
        key = hashlib.sha256(token.encode(errors="replace")).digest()
        if (known := self._known(key)) is not None:
            # It waits for nobody's review: tokens of any kind may be sent, and the API server may be slow.
            return known
        async with self._reviews:
            if (known := self._known(key)) is not None:
                return known
            try:
                access = await self._review(token)
            except ApiError as error:
                _log.warning("Whether a request may read the metrics is not known: %s", error)
                return Access.DENIED
        self._remember(key, access)
        return access

    def _known(self, key: bytes) -> Access | None:
        """The answer that still counts."""
        until, access = self._answers.get(key, (0.0, None))
        return access if until > self._clock() else None

    async def _review(self, token: str) -> Access:
        review = await self._cluster.create(TOKEN_REVIEWS, "", {"spec": {"token": token}})
        if not review["status"].get("authenticated"):
            return Access.UNKNOWN
        answer = await self._cluster.create(SUBJECT_ACCESS_REVIEWS, "", {"spec": self._question(review["status"])})
        return Access.ALLOWED if answer["status"].get("allowed") else Access.DENIED

    def _question(self, status: Object) -> Object:
        user = status["user"]
        return {
            "user": user.get("username", ""),
            "uid": user.get("uid", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
            "nonResourceAttributes": {"path": self._path, "verb": "get"},
        }

    def _remember(self, key: bytes, access: Access) -> None:
        self._answers.pop(key, None)
        self._answers[key] = (self._clock() + REMEMBERED_SECONDS, access)
        if len(self._answers) > _MOST_REMEMBERED:
            del self._answers[next(iter(self._answers))]
