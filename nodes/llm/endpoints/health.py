"""Whether a server answers, as calls have shown: one that fails is left out for a while, and then tried again."""

import time
from dataclasses import dataclass

FIRST_REST_S, MAX_REST_S = 5.0, 60.0
"""Seconds for which a server that failed is left out: so many at first, twice as many each time, and no more."""


@dataclass
class Health:
    """Whether a server answers.

    Attributes:
        busy: Requests that are on their way to it or wait for their turn there.
    """

    busy: int = 0
    _failures: int = 0
    _until: float = 0.0

    @property
    def rest_s(self) -> float:
        """Seconds for which it is still to be left out; 0 where it may be asked."""
        return max(0.0, self._until - time.monotonic())

    @property
    def doubtful(self) -> bool:
        """Whether it failed last: after its rest one request finds out how it is, before others follow."""
        return self._failures > 0

    def fail(self, asked_to_wait: float | None = None) -> None:
        """Leave it out; as long as it asked, where it did."""
        if not self.rest_s:  # others of the same burst say nothing new
            self._failures += 1
        rest = min(FIRST_REST_S * 2 ** (self._failures - 1), MAX_REST_S)
        self._until = max(self._until, time.monotonic() + min(asked_to_wait or rest, MAX_REST_S))

    def succeed(self) -> None:
        """Take in that it answered."""
        self._failures, self._until = 0, 0.0
