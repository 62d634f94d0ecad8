"""An error in reading one backend's results is that backend's trouble: its sweep goes on."""

import logging
from collections.abc import Sequence

import pytest
from pyroaring import BitMap

from taskgroup.results.decode import StoredResult
from taskgroup.results.port import Ends
from taskgroup.results.sweep import Sweeper


class FailingOnce:
    """Results with a bug that shows at the first look."""

    address = "redis://results:6379/0"

    def __init__(self) -> None:
        self.looks = 0

    async def ping(self) -> None:
        """It answers."""

    async def ended(self, ids: Sequence[str]) -> Ends:
        """Everything has ended, from the second look on."""
        self.looks += 1
        if self.looks == 1:
            raise TypeError("a bug")
        return Ends(dict.fromkeys(ids))

    async def values(self, ids: Sequence[str], most_bytes: int = 0) -> list[StoredResult | None]:
        """None."""
        del most_bytes
        return [None for _ in ids]

    async def sizes(self, ids: Sequence[str]) -> list[int]:
        """None."""
        return [0 for _ in ids]

    async def delete(self, ids: Sequence[str]) -> None:
        """Nothing."""


async def test_a_bug_is_shown_logged_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    sweeper = Sweeper(FailingOnce())
    place = sweeper.subscribe("u", lambda: None)
    place.follow(BitMap([0]), {})
    with caplog.at_level(logging.ERROR):
        await sweeper.sweep()
    shown = place.trouble
    await sweeper.sweep()

    assert shown is not None
    assert "an error in the operator" in shown.message
    assert "TypeError: a bug" in caplog.text
    assert place.trouble is None
    assert 0 in place.completions.succeeded
