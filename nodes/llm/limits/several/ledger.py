"""The tokens of a run whose tasks work in several processes."""

from nodes.llm.limits.ledger import UNSEEN_REPLY_TOKENS, Ledger, Spending
from nodes.llm.limits.several.link import Link, LinkLost, shared_link

KEPT_S = 86_400
"""Seconds after its last call that a run's tokens are remembered; what its state tells counts in any case."""

_SCRIPT = """
local asked = cjson.decode(ARGV[1])
local used = tonumber(redis.call('GET', KEYS[1]) or 0)
used = math.max(used, asked.known) + asked.more
redis.call('SET', KEYS[1], string.format('%.0f', used), 'EX', asked.kept_s)
return cjson.encode({used = used})
"""


class SharedLedger(Ledger):
    """The tokens of tasks that run side by side in several processes, against what the run may use in all.

    What calls have used is counted on the Redis server; what open ones are expected to use, by each process for itself.
    So the limit is passed by the open calls of the others at most. Without that server, the tasks here share what was
    left when the first of them began, as many parts of it as there are of them among all that begin; one call is made
    in any case if the whole affords it.
    """

    def __init__(self, limit: int | None, spent: Spending, *, kept: int, run_id: str, threads: int) -> None:
        """Start from what is spent.

        Args:
            limit: Tokens of the whole run.
            spent: What the run has used before these tasks.
            kept: Tokens to leave for later.
            run_id: The run.
            threads: How many tasks begin, in all processes.
        """
        super().__init__(limit, spent, kept=kept)
        self._key, self._known, self._threads = f"apr:spent:{run_id}", spent.total, max(1, threads)
        self._here = self._more = self._own = 0
        """Tasks that have begun here, tokens that the server is yet to be told, and those used alone."""
        self._left: int | None = None
        """Tokens that were left when this process began to keep to a share; `None` while all are counted."""
        self._link: Link | None = None

    def enter(self) -> None:
        """Take in that one more task begins here."""
        self._here = min(self._here + 1, self._threads)

    async def reserve(self, prompt: int, reply: int = UNSEEN_REPLY_TOKENS) -> int:
        """Set tokens aside for a request, after what all processes have used.

        Raises:
            ModelError: The run cannot afford it (`over_budget`).
        """
        await self._count()
        return await super().reserve(prompt, reply)

    def settle(self, reserved: int, used: int) -> None:
        """Replace what was set aside by what the request used, here and for all."""
        super().settle(reserved, used)
        self._own += used
        self._more += used
        if self._link and self._more:
            more, self._more = self._more, 0
            self._link.send(_SCRIPT, [self._key], known=self._known, more=more, kept_s=KEPT_S)

    async def _count(self) -> None:
        """Take in what all have used; where nobody can tell, go on with a share of what is left."""
        self._link = await shared_link()
        if self._link:
            more, self._more = self._more, 0
            try:
                said = await self._link.run(_SCRIPT, [self._key], known=self._known, more=more, kept_s=KEPT_S)
            except LinkLost:
                self._more += more
            else:
                self._used, self._left, self._note = max(self._used, said["used"]), None, ""
                return
        if self._left is None:
            self._left, self._own = max(0, (self.limit or 0) - self._used - self._open - self._kept), 0
            self._note = f", of what is left {self._here or 1}/{self._threads} for the threads of this worker"

    def _affords(self, limit: int, estimate: int) -> bool:
        if self._left is None:
            return super()._affords(limit, estimate)
        used = self._own + self._open
        share = self._left * max(1, self._here) // self._threads
        return used + estimate <= share or (used == 0 and estimate <= self._left)
