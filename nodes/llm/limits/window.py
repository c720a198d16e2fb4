"""What an endpoint was sent in the last minute, for ceilings on requests and tokens per minute."""

from collections import deque
from dataclasses import dataclass

WINDOW_S = 60.0


@dataclass(frozen=True)
class Ceilings:
    """What may be sent in any sixty seconds; `None` for no ceiling."""

    requests: int | None = None
    tokens: int | None = None

    def share(self, workers: int) -> "Ceilings":
        """Return what one of several processes may send: rounded down, since a ceiling is none if it is passed."""
        if workers == 1:
            return self
        return Ceilings(*(top and max(1, top // workers) for top in (self.requests, self.tokens)))


NO_CEILINGS = Ceilings()


@dataclass(eq=False)
class Sent:
    """A request that was sent."""

    at: float
    tokens: int
    """Input and output; estimated until the server has counted them."""


class Window:
    """The requests of the last minute. A sliding window: no sixty seconds hold more than the ceiling."""

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque()
        self._tokens = 0

    def hold(self, now: float, tokens: int, ceilings: Ceilings) -> float:
        """Return the seconds until a request may be sent, 0 for at once.

        Args:
            now: Seconds on the clock that `note` is given too.
            tokens: What the request is expected to use. One above the ceiling waits until nothing else counts.
            ceilings: What it must stay under.
        """
        self._forget(now)
        return max(self._requests_hold(now, ceilings.requests), self._tokens_hold(now, tokens, ceilings.tokens))

    def _requests_hold(self, now: float, ceiling: int | None) -> float:
        if ceiling is None or len(self._sent) < ceiling:
            return 0.0
        return self._sent[len(self._sent) - ceiling].at + WINDOW_S - now

    def _tokens_hold(self, now: float, tokens: int, ceiling: int | None) -> float:
        if ceiling is None:
            return 0.0
        over = self._tokens + min(tokens, ceiling) - ceiling
        hold = 0.0
        for sent in self._sent:
            if over <= 0:
                break
            over -= sent.tokens
            hold = sent.at + WINDOW_S - now
        return hold

    def note(self, now: float, tokens: int) -> Sent:
        """Record a request as sent."""
        self._forget(now)
        sent = Sent(now, tokens)
        self._sent.append(sent)
        self._tokens += tokens
        return sent

    def correct(self, sent: Sent, tokens: int) -> None:
        """Replace an estimate by what the server counted."""
        if self._sent and sent.at >= self._sent[0].at:
            self._tokens += tokens - sent.tokens
        sent.tokens = tokens

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0].at <= now - WINDOW_S:
            self._tokens -= self._sent.popleft().tokens
