"""What the threads of one round share: turns, tokens, and who is late."""

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from nodes.llm.limits.ledger import Ledger
from nodes.threads.stragglers import Stragglers


class FanOut:
    """What the threads of one round of one run share in this process.

    Attributes:
        turns: Whoever holds one may work; first come, first served.
        ledger: The tokens that they may still use.
        stragglers: Tells who is late.
        done: How many threads have ended, in whatever way.
    """

    def __init__(self, degree: int, ledger: Ledger, stragglers: Stragglers) -> None:
        """Let `degree` threads be at work at once."""
        self.turns = asyncio.Semaphore(degree)
        self.ledger, self.stragglers = ledger, stragglers
        self.done = 0


# Weak: a round's entry goes when the last of its threads has ended, so nothing is ever cleaned up.
_rounds: WeakValueDictionary[tuple[str, int], FanOut] = WeakValueDictionary()


def fan_out(run_id: str, round: int, make: Callable[[], FanOut]) -> FanOut:
    """Return what the threads of a round share; the first of them makes it."""
    key = (run_id, round)
    shared = _rounds.get(key)
    if shared is None:
        shared = _rounds[key] = make()
    return shared
