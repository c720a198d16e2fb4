"""What a run may use whose tasks work in several processes: tokens, or dollars."""

from nodes.llm.limits.purse import Purse
from nodes.llm.limits.several.link import Link, LinkLost, shared_link

PURSE_KEPT_S = 86_400
"""Seconds after its last call that a run's use is remembered; what its state tells counts in any case."""

_SCRIPT = """
local asked = cjson.decode(ARGV[1])
local used = tonumber(redis.call('GET', KEYS[1]) or 0)
used = math.max(used, asked.known) + asked.more
redis.call('SET', KEYS[1], string.format('%.9f', used), 'EX', asked.kept_s)
return cjson.encode({used = used})
"""


class SharedPurse(Purse):
    """What tasks that run side by side in several processes may still use of one thing.

    What calls have used is counted on the Redis server; what open ones are expected to use, by each process for itself.
    So the limit is passed by the open calls of the others at most. Without that server, the tasks here share what was
    left when the first of them began, as many parts of it as there are of them among all that begin; one call is made
    in any case if the whole affords it.
    """

    def __init__(
        self, name: str, limit: float | None, *, used: float, kept: float, run_id: str = "", threads: int = 1
    ) -> None:
        """Start from what is spent.

        Args:
            name: What of.
            limit: What the whole run may use.
            used: What it has used before these tasks.
            kept: What is left for later.
            run_id: The run.
            threads: How many tasks begin, in all processes.
        """
        super().__init__(name, limit, used=used, kept=kept)
        self._key, self._known, self._threads = f"apr:spent:{run_id}:{name}", used, max(1, threads)
        self._here = 0
        """Tasks that have begun here."""
        self._more = self._own = 0.0
        """What the server is yet to be told, and what was used alone."""
        self._left: float | None = None
        """What was left when this process began to keep to a share; `None` while all is counted."""
        self._link: Link | None = None

    def enter(self) -> None:
        """Take in that one more task begins here."""
        self._here = min(self._here + 1, self._threads)

    async def count(self) -> None:
        """Take in what all have used; where nobody can tell, go on with a share of what is left."""
        if self.limit is None:
            return
        self._link = await shared_link()
        if self._link:
            more, self._more = self._more, 0.0
            try:
                said = await self._link.run(_SCRIPT, [self._key], known=self._known, more=more, kept_s=PURSE_KEPT_S)
            except LinkLost:
                self._more += more
            else:
                self.used, self._left, self.note = max(self.used, said["used"]), None, ""
                return
        if self._left is None:
            self._left, self._own = max(0.0, self.limit - self.used - self.open - self.kept), 0.0
            self.note = f", of what is left {self._here or 1}/{self._threads} for the threads of this worker"

    def lacks(self, amount: float) -> bool:
        """Whether the run cannot afford so much more."""
        if self._left is None:
            return super().lacks(amount)
        taken = self._own + self.open
        share = self._left * max(1, self._here) / self._threads
        return taken + amount > share and (taken > 0 or amount > self._left)

    def settle(self, reserved: float, used: float) -> None:
        """Replace what was set aside by what was used, here and for all."""
        super().settle(reserved, used)
        self._own += used
        self._more += used
        if self._link and self._more:
            more, self._more = self._more, 0.0
            self._link.send(_SCRIPT, [self._key], known=self._known, more=more, kept_s=PURSE_KEPT_S)
