"""A digest of the first pieces of a long list, which can be asked for any number of them at the cost of a few."""

import hashlib
from collections.abc import Callable, Generator

_STEP = 1_000
"""Pieces between two marks; an appended list is asked for a number somewhere between them."""


class Fingerprint:
    """SHA-256 over the first pieces of `count`, each with its length before it."""

    def __init__(self, count: int, piece: Callable[[int], bytes]) -> None:
        self._count = count
        self._piece = piece
        self._marks = [hashlib.sha256()]
        self._digests: dict[int, str] = {}

    def steps(self) -> Generator[None, None, None]:
        """Goes through all pieces once, so that no digest needs many of them later."""
        state = self._marks[-1].copy()
        for position in range((len(self._marks) - 1) * _STEP, self._count):
            self._add(state, position)
            if (position + 1) % _STEP == 0:
                self._marks.append(state.copy())
            yield
        self._digests[self._count] = state.hexdigest()

    def digest(self, pieces: int) -> str:
        """Of the first `pieces`, or of all when there are fewer."""
        pieces = min(pieces, self._count)
        if pieces not in self._digests:
            mark = min(pieces // _STEP, len(self._marks) - 1)
            state = self._marks[mark].copy()
            for position in range(mark * _STEP, pieces):
                self._add(state, position)
            self._digests[pieces] = state.hexdigest()
        return self._digests[pieces]

    def _add(self, state: "hashlib._Hash", position: int) -> None:
        piece = self._piece(position)
        state.update(len(piece).to_bytes(8, "big") + piece)
