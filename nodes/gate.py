"""Whether a split pays: what it is forecast to take, against one call (pure)."""

import math

from nodes.llm.pace import Pace
from nodes.record import Record

MARGIN = 1.25
"""A split is passed over only where it is forecast to take so many times as long: forecasts are rough, and separate
threads are worth something beside time."""
WORTH = 1.0
"""Seconds that a split must be forecast to lose before it is passed over; nobody minds less."""
ENOUGH = 2
"""Calls of a stage that must have been seen before a forecast rests on them."""


class Forecast(Record):
    """What splitting is expected to take, and one call; made of what the endpoints have shown in this process."""

    threads: int
    """Threads expected: the independent parts."""
    split_s: float
    """Seconds of the threads (as many waves as they need) and of the review, at the shortest."""
    single_s: float
    """Seconds of one call that writes what the threads would write, one after another."""

    @property
    def pays(self) -> bool:
        """Whether splitting may save time."""
        return self.split_s <= max(MARGIN * self.single_s, self.single_s + WORTH)

    def __str__(self) -> str:
        """Say it in a sentence."""
        verdict = "may save time" if self.pays else "cannot save time"
        return (
            f"splitting into {self.threads} threads {verdict}: {self.split_s:.1f} s are forecast, "
            f"{self.single_s:.1f} s in one call, from what this endpoint has shown so far"
        )


def forecast(
    *, parts: int, tokens: int, at_once: int, solving: Pace, reviewing: Pace, window: int | None
) -> Forecast | None:
    """Weigh a split against one call.

    The split is taken at its best (the shortest review seen so far), one call at its usual (what the threads wrote so
    far on the mean, end to end), so that a split is given up only when it cannot save time. The outline is written in
    either case.

    Args:
        parts: Independent parts.
        tokens: Size of the question and its documents.
        at_once: Threads that can run at the same time.
        solving: What the endpoint of the threads has shown, which also answers directly.
        reviewing: The same of the endpoint that reviews.
        window: Tokens that prompt and reply may have together, where known.

    Returns:
        Nothing while too little was seen, or when one call could not hold it all.
    """
    threads, reviews = solving.of("solve"), reviewing.of("review")
    if min(threads.calls, reviews.calls) < ENOUGH:
        return None
    written = threads.output
    if window is not None and tokens + parts * written > window:
        return None
    waves = math.ceil(parts / max(1, at_once))
    split = waves * solving.seconds(read=tokens / parts, written=written, side_by_side=True)
    split += reviewing.seconds(read=0, written=reviews.least)
    return Forecast(
        threads=parts,
        split_s=round(split, 3),
        single_s=round(solving.seconds(read=tokens, written=parts * written), 3),
    )
