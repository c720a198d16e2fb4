"""The limit of one server that several processes keep together."""

import asyncio
import math
import random
import time
import uuid
from dataclasses import dataclass

from nodes.llm.limits.limiter import Limiter, ShutTooLong, Turn, name_slots, share_of
from nodes.llm.limits.line import Line
from nodes.llm.limits.several.link import LINK_REST_S, Link, LinkLost, start_apart
from nodes.llm.limits.several.slots import RENEW_S, Back, Seen, exchange
from nodes.llm.limits.window import NO_CEILINGS, Ceilings

MIN_POLL_S, MAX_POLL_S = 0.01, 0.04
"""Seconds between two questions for a free place; by chance, so that processes do not ask in step."""
BEFORE_AT_HALF_PACE, SLOWEST_POLL_S = 20, 0.1
"""Behind so many processes one asks half as often, and never less often: a thousand must not drown the server."""
MAX_LEASES_ASKED = 100
"""Leases that are asked for at once."""
ALONE = "a share of the limit, as the server that counts for all workers does not answer"


@dataclass(frozen=True)
class SharedTurn(Turn):
    """The right to send one request, and what was lent for it."""

    lease: str
    own: Turn
    """The turn among the requests of this process."""


@dataclass(eq=False)
class _Waiter:
    run_id: str
    patience: float
    future: "asyncio.Future[SharedTurn]"
    own: Turn


class SharedLimiter:
    """The limit of one server, counted on a Redis server over all processes that ask it.

    Each request first has its turn among those of this process (`Limiter`), where ceilings a minute hold by shares.
    While the Redis server does not answer, that limiter keeps to this process's share of all. For one event loop.

    Attributes:
        slots: How many requests the server works on at once, where it tells.
    """

    def __init__(self, link: Link, key: str) -> None:
        """Begin with what others have learnt.

        Args:
            link: The Redis server.
            key: What the endpoint is known by there; no key for the endpoint's use is in it.
        """
        self.slots: int | None = None
        self._link, self._key, self._id = link, key, uuid.uuid4().hex[:16]
        self._own = Limiter(workers=link.workers)
        self._alone = False
        self._seen = Seen([], 0, None, "", 0.0, 0.0, 0)
        self._line: Line[_Waiter] = Line()
        self._held: dict[str, int] = {}
        """Leases of the requests that are open, with their numbers."""
        self._back: list[Back] = []
        self._renewed, self._careful_until = -math.inf, math.inf
        self._news = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._keeping = self._ended = False

    @property
    def degree(self) -> int | None:
        """How many requests all processes may have open at once; `None` while nothing limits them."""
        if self._alone:
            return self._own.degree
        limit = min(self._seen.limit or math.inf, self.slots or math.inf)
        return None if limit == math.inf else int(limit)

    @property
    def open(self) -> int:
        """How many requests were open when this process asked last."""
        return self._own.open if self._alone else max(self._own.open, self._seen.open)

    async def admit(
        self,
        run_id: str,
        *,
        tokens: int = 0,
        ceilings: Ceilings = NO_CEILINGS,
        patience: float = math.inf,
        again: bool = False,
    ) -> Turn:
        """Wait for a turn, as `Limiter.admit`.

        Raises:
            ShutTooLong: The server asked for a wait longer than `patience`.
        """
        self._follow_link()
        while True:
            own = await self._own.admit(run_id, tokens=tokens, ceilings=ceilings, patience=patience, again=again)
            if self._alone:
                lease = f"{self._id}:{own.number}:alone"
                self._held[lease] = 0
                return SharedTurn(0, own.degree, own.reason, own.sent, lease, own)
            try:
                return await self._lend(run_id, own, patience, again)
            except LinkLost:
                self._own.release(own, tokens=0)
                again = True
            except BaseException:
                self._own.release(own, tokens=0)
                raise

    def release(
        self, turn: Turn, *, tokens: int | None = None, ok: bool = False, overload: str = "", wait: float | None = None
    ) -> None:
        """Give a turn back, as `Limiter.release`."""
        if not isinstance(turn, SharedTurn):
            raise TypeError("a turn of another limiter")
        number = self._held.pop(turn.lease, 0)
        if self._alone:
            self._own.release(turn.own, tokens=tokens, ok=ok, overload=overload, wait=wait)
            self._follow_link()
            return
        self._own.release(turn.own, tokens=tokens)
        self._give_back(Back(turn.lease, number, ok, overload, wait or 0.0))

    async def _lend(self, run_id: str, own: Turn, patience: float, again: bool) -> SharedTurn:
        waiter = _Waiter(run_id, patience, asyncio.get_running_loop().create_future(), own)
        self._line.enter(run_id, waiter, first=again)
        self._wake()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._line.leave(run_id, waiter)
            if waiter.future.done() and not waiter.future.cancelled() and not waiter.future.exception():
                lease = waiter.future.result().lease
                self._give_back(Back(lease, self._held.pop(lease, 0)))
            raise

    def _give_back(self, back: Back) -> None:
        self._back.append(back)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        if not self._keeping and not self._ended:
            self._keeping = True
            self._keeper = start_apart(self._keep())

    async def _keep(self) -> None:
        """Ask for leases, renew them and give them back, as long as there are any."""
        try:
            while self._line or self._held or self._back:
                self._news.clear()
                await self._exchange()
                try:
                    async with asyncio.timeout(self._pause()):
                        await self._news.wait()
                except TimeoutError:
                    pass
        except asyncio.CancelledError:  # the loop ends
            self._ended = True
            raise
        except LinkLost as lost:
            self._go_alone()
            self._turn_away(lost)
        except Exception as fault:
            self._turn_away(fault)
        finally:
            self._keeping = False

    async def _exchange(self) -> None:
        now = time.monotonic()
        renew = list(self._held) if now >= self._renewed + RENEW_S else None
        back, self._back = self._back, []
        want = min(len(self._line), MAX_LEASES_ASKED)
        try:
            seen = await exchange(
                self._link,
                self._key,
                self._id,
                want=want,
                back=back,
                renew=renew,
                slots=self.slots,
                limit=self._seen.limit,
            )
        except BaseException:
            self._back = [*back, *self._back]
            raise
        self._seen = seen
        if renew is not None:
            self._renewed = now
        self._take_all(now)
        for number in seen.granted:
            self._hand_out(number)
        if seen.shut:
            self._turn_away(ShutTooLong(seen.shut), patience=seen.shut)

    def _hand_out(self, number: int) -> None:
        """Let the next one go on; a place for which nobody waits any more goes back."""
        lease, degree = f"{self._id}:{number}", self.degree
        while self._line:
            waiter = self._line.heads()[0]
            self._line.take(waiter.run_id, waiter)
            if waiter.future.done():  # it was cancelled just now
                continue
            self._held[lease] = number
            reason = name_slots(self.slots) if degree == self.slots else self._seen.reason
            waiter.future.set_result(
                SharedTurn(number, degree, reason if degree else "", waiter.own.sent, lease, waiter.own)
            )
            return
        self._give_back(Back(lease, number))

    def _turn_away(self, error: Exception, *, patience: float = math.inf) -> None:
        """Fail those who wait, and would not wait so many seconds."""
        for waiter in self._line:
            if waiter.patience < patience or patience == math.inf:
                self._line.leave(waiter.run_id, waiter)
                if not waiter.future.done():
                    waiter.future.set_exception(error)

    def _pause(self) -> float:
        """Return the seconds until the server must be asked again, where nothing happens here."""
        renew = max(0.0, self._renewed + RENEW_S - time.monotonic())
        if not self._line:
            return renew
        poll = min(
            SLOWEST_POLL_S, random.uniform(MIN_POLL_S, MAX_POLL_S) * (1 + self._seen.before / BEFORE_AT_HALF_PACE)
        )
        return min(renew, self._seen.opens + poll)

    def _go_alone(self) -> None:
        """Keep to this process's share."""
        known = self._seen.limit
        self._alone, self._careful_until = True, math.inf
        self._back.clear()
        self._own.slots = self.slots
        limit = math.inf if known is None else float(share_of(int(known), self._link.workers) or 1)
        self._own.keep_to(limit, ALONE if known else "")

    def _follow_link(self) -> None:
        """Share again once the server may be asked; all that is open here is told to it first.

        Others may still be alone, as each asks again after a rest. Till then this process stays within its share.
        """
        if self._alone and self._link.up:
            if learnt := self._own.degree:
                self._seen = self._seen._replace(limit=float(learnt * self._link.workers))
            self._alone, self._renewed = False, -math.inf
            self._careful_until = time.monotonic() + LINK_REST_S

    def _take_all(self, now: float) -> None:
        """Leave the share behind, where all others have joined again."""
        if now >= self._careful_until:
            self._careful_until = math.inf
            self._own.slots = None
            self._own.keep_to(math.inf)

    async def leave(self) -> None:
        """Give everything back, as the loop ends."""
        self._ended = True
        back = [*self._back, *(Back(lease, number) for lease, number in self._held.items())]
        if back and not self._alone:
            await exchange(self._link, self._key, self._id, back=back, renew=[], slots=None, limit=self._seen.limit)
