"""How many requests a server is sent at once: one limit for all runs of the process.

The limit rises by one for every full round of requests that succeed and is halved when the server is
overloaded: additive increase, multiplicative decrease, which converges to a fair share (D.-M. Chiu and
R. Jain, "Analysis of the increase and decrease algorithms for congestion avoidance in computer
networks", Computer Networks and ISDN Systems 17, 1989). As there, one overload is answered once: what
was sent before the last decrease says nothing about the limit since, save that a burst that was refused
shows by what is left of it how much the server takes.
"""

import asyncio
import math
import threading
import time
from dataclasses import dataclass, field

from nodes.llm.limits.line import Line
from nodes.llm.limits.window import NO_CEILINGS, Ceilings, Sent, Window

MIN_FIRST_LIMIT = 4
"""The lowest first limit: that a lone request was refused tells little about how many are too many."""
MAX_OPEN_REQUESTS = 1_000
"""Requests open at once in any case: the connections that a client keeps. Who waits here waits in a fair line."""
MAX_SHUT_S = 60.0
"""Seconds that all runs leave a server alone, at most; then one of them may find out whether it still refuses."""


def share_of(limit: int | None, workers: int) -> int | None:
    """Return what one of several processes may use of a limit, rounded up; `None` for no limit."""
    return None if limit is None else -(-limit // workers)


def name_slots(slots: int | None, workers: int = 1) -> str:
    """Say that a server's slots are the limit."""
    return f"the server has {slots} slots" + (f", for {workers} workers" if workers > 1 else "")


class ShutTooLong(Exception):
    """The server asked for a longer wait than the request can afford.

    Attributes:
        seconds: How long it will not be asked.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"shut for {seconds:g} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Turn:
    """The right to send one request."""

    number: int
    degree: int | None
    """How many requests may be open at once, this one included; `None` while nothing limits them."""
    reason: str
    """Why the degree is what it is; empty while nothing limits it."""
    sent: Sent


@dataclass(eq=False)
class _Waiter:
    run_id: str
    tokens: int
    ceilings: Ceilings
    patience: float
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[None]"
    turn: Turn | None = None
    shut: float = 0.0

    def wake(self) -> bool:
        """Let the one who waits go on, from whichever thread; false when its event loop is gone."""
        try:
            self.loop.call_soon_threadsafe(_finish, self.future)
        except RuntimeError:
            return False
        return True


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


@dataclass(eq=False)
class Limiter:
    """The limit of one server. Runs take turns, so that a large one cannot starve small ones.

    Safe to use from several event loops in several threads.

    Attributes:
        slots: How many requests the server works on at once, where it tells; the limit never passes it.
        workers: How many processes send requests to the server; this one keeps to its share.
    """

    slots: int | None = None
    workers: int = 1
    _limit: float = math.inf
    _cause: str = ""
    _reason: str = ""
    _open: int = 0
    _number: int = 0
    _since: int = 0
    """Turns up to this number were given before the last decrease."""
    _shut_until: float = 0.0
    _asked_until: float = 0.0
    _window: Window = field(default_factory=Window)
    _line: "Line[_Waiter]" = field(default_factory=Line)
    _timer: "tuple[float, asyncio.AbstractEventLoop] | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def degree(self) -> int | None:
        """How many requests may be open at once; `None` while nothing limits them."""
        limit = min(self._limit, share_of(self.slots, self.workers) or math.inf)
        return None if limit == math.inf else int(limit)

    @property
    def open(self) -> int:
        """How many requests are open now."""
        return self._open

    async def admit(
        self,
        run_id: str,
        *,
        tokens: int = 0,
        ceilings: Ceilings = NO_CEILINGS,
        patience: float = math.inf,
        again: bool = False,
    ) -> Turn:
        """Wait for a turn; whoever gets one gives it back with `release`.

        Args:
            run_id: The run that asks.
            tokens: What the request is expected to use.
            ceilings: What may be sent in a minute.
            patience: Seconds that the request may wait for a server that asked to be left alone.
            again: Whether this repeats a request that had its turn before; it then goes before others of its run.

        Raises:
            ShutTooLong: The server asked for a wait longer than `patience`.
        """
        ceilings = ceilings.share(self.workers)
        with self._lock:
            if (seconds := self._shut_for()) > max(0.0, patience):
                raise ShutTooLong(seconds)
            if not self._line and (turn := self._turn_now(tokens, ceilings)):
                return turn
            loop = asyncio.get_running_loop()
            waiter = _Waiter(run_id, tokens, ceilings, patience, loop, loop.create_future())
            self._line.enter(run_id, waiter, first=again)
            self._go_on()
        try:
            await waiter.future
        except asyncio.CancelledError:
            self._leave(waiter)
            raise
        if waiter.turn is None:
            raise ShutTooLong(waiter.shut)
        return waiter.turn

    def release(
        self, turn: Turn, *, tokens: int | None = None, ok: bool = False, overload: str = "", wait: float | None = None
    ) -> None:
        """Give a turn back.

        Args:
            turn: What `admit` returned.
            tokens: What the server counted, if it did.
            ok: Whether the request succeeded.
            overload: If the server was overloaded, how it showed.
            wait: Seconds that the server asked to be left alone.
        """
        with self._lock:
            if tokens is not None:
                self._window.correct(turn.sent, tokens)
            if overload:
                self._shrink(turn, overload)
            elif ok:
                self._grow(turn)
            if wait:
                self._shut(wait)
            self._open -= 1
            self._go_on()

    def keep_to(self, limit: float, reason: str = "") -> None:
        """Go on from a limit that was found elsewhere; infinite for none."""
        with self._lock:
            self._limit, self._cause, self._reason, self._since = limit, reason, reason, self._number
            self._go_on()

    def _shrink(self, turn: Turn, reason: str) -> None:
        lowest = share_of(MIN_FIRST_LIMIT, self.workers) or 1
        if turn.number <= self._since:
            # One more of the same burst: the server took no more of it than what is still open.
            self._limit = min(self._limit, float(max(lowest, self._open - 1)))
            return
        lowest = lowest if self._limit == math.inf else 1
        self._limit = float(max(lowest, min(self._limit, self._open) // 2))
        self._cause = self._reason = reason
        self._since = self._number

    def _grow(self, turn: Turn) -> None:
        tried = self._limit < math.inf and self._open >= int(self._limit)  # else nobody knows whether it holds
        if not tried or turn.number <= self._since:
            return
        before = int(self._limit)
        self._limit += 1 / self._limit
        if int(self._limit) > before:
            self._reason = f"rising again after: {self._cause}"

    def _shut(self, seconds: float) -> None:
        now = time.monotonic()
        earlier = self._asked_until if now < self._shut_until else now
        self._asked_until = max(earlier, now + seconds)
        self._shut_until = max(self._shut_until, now + min(seconds, MAX_SHUT_S))
        seconds = self._shut_for()
        for waiter in self._line:
            if waiter.patience < seconds:
                waiter.shut = seconds
                self._line.leave(waiter.run_id, waiter)
                waiter.wake()

    def _shut_for(self) -> float:
        """Return how long the server asked to be left alone; 0 once somebody may find out whether it still does."""
        now = time.monotonic()
        return self._asked_until - now if now < self._shut_until else 0.0

    def _go_on(self) -> None:
        """Give turns to those who wait, as far as the limit allows; each run in turn, one request at a time."""
        while self._line and not self._full():
            waiter = self._next()
            if waiter is None:
                return
            self._line.take(waiter.run_id, waiter)
            if not waiter.wake():
                self._open -= 1

    def _next(self) -> _Waiter | None:
        """Give the next who may go on its turn; if it is time that holds all of them, look again then."""
        holds = []
        for waiter in self._line.heads():
            waiter.turn = self._turn_now(waiter.tokens, waiter.ceilings)
            if waiter.turn is not None:
                return waiter
            holds.append(self._hold(waiter))
        self._look_again(min(holds))
        return None

    def _turn_now(self, tokens: int, ceilings: Ceilings) -> Turn | None:
        now, degree = time.monotonic(), self.degree
        if self._full() or now < self._shut_until or self._window.hold(now, tokens, ceilings):
            return None
        self._open += 1
        self._number += 1
        by_slots = degree is not None and degree == share_of(self.slots, self.workers)
        reason = name_slots(self.slots, self.workers) if by_slots else self._reason
        return Turn(self._number, degree, reason, self._window.note(now, tokens))

    def _full(self) -> bool:
        return self._open >= min(self.degree or MAX_OPEN_REQUESTS, MAX_OPEN_REQUESTS)

    def _hold(self, waiter: _Waiter) -> float:
        """Return the seconds that it must wait even where the limit leaves room."""
        now = time.monotonic()
        return max(self._shut_until - now, self._window.hold(now, waiter.tokens, waiter.ceilings))

    def _look_again(self, seconds: float) -> None:
        """Go on after so long, on the event loop of one who waits; one such timer at a time."""
        at = time.monotonic() + seconds
        if self._timer is not None and self._timer[0] <= at and not self._timer[1].is_closed():
            return
        for loop in [waiter.loop for waiter in self._line.heads()]:
            try:
                loop.call_soon_threadsafe(loop.call_later, seconds, self._wake_up)
            except RuntimeError:  # its event loop is gone
                continue
            self._timer = (at, loop)
            return

    def _wake_up(self) -> None:
        with self._lock:
            self._timer = None
            self._go_on()

    def _leave(self, waiter: _Waiter) -> None:
        """Give up waiting; a turn that came at the same moment goes to the next."""
        with self._lock:
            if waiter.turn is not None:
                self._open -= 1
            else:
                self._line.leave(waiter.run_id, waiter)
            self._go_on()
