"""How many threads of a run are at work at once, and how many have ended."""

import asyncio
from weakref import WeakValueDictionary


class FanOut:
    """What the threads of one round of one run share in this process.

    Attributes:
        turns: Whoever holds one may work; first come, first served.
        done: How many threads have ended, in whatever way.
    """

    def __init__(self, degree: int) -> None:
        """Let `degree` threads be at work at once."""
        self.turns = asyncio.Semaphore(degree)
        self.done = 0


# Weak: a round's entry goes when the last of its threads has ended, so nothing is ever cleaned up.
_rounds: WeakValueDictionary[tuple[str, int], FanOut] = WeakValueDictionary()


def fan_out(run_id: str, round: int, degree: int) -> FanOut:
    """Return what the threads of a round share; the first of them makes it."""
    key = (run_id, round)
    shared = _rounds.get(key)
    if shared is None:
        shared = _rounds[key] = FanOut(degree)
    return shared
