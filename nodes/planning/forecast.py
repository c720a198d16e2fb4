"""Whether a split pays: what it is forecast to take, against one call (pure)."""

import math
from collections.abc import Iterable

from nodes.llm.endpoints.pace import Pace
from nodes.llm.endpoints.usage import Call, last_end
from nodes.shared.record import Record

MIN_LOSS_RATIO = 1.25
"""A split is passed over only where it is forecast to take so many times as long: forecasts are rough, and separate
threads are worth something beside time."""
MIN_USUAL_LOSS_RATIO = 2.0
"""The same while usual lengths stand for replies that were not seen: one call was seen to write up to four times what
the threads wrote for the same parts, so a split passed over in error costs far more than one that is made."""
MIN_LOSS_S = 1.0
"""Seconds that a split must be forecast to lose before it is passed over; nobody minds less."""


class Forecast(Record):
    """What splitting is expected to take, and one call: from what the endpoints have shown, to earlier processes too.

    The outline, which either way is written first, counts in none of its figures.
    """

    threads: int
    """Threads expected: the independent parts."""
    split_s: float
    """Seconds of the threads (as many waves as they need) and of the review."""
    single_s: float
    """Seconds of one call that writes what the threads would write, one after another."""
    usual: bool = False
    """Whether usual lengths of replies stand for some of which too little was seen."""
    came_s: float | None = None
    """Seconds that it took from the end of the assessment to the answer, whichever way; `None` without an answer."""

    @property
    def pays(self) -> bool:
        """Whether splitting may save time."""
        ratio = MIN_USUAL_LOSS_RATIO if self.usual else MIN_LOSS_RATIO
        return self.split_s <= max(ratio * self.single_s, self.single_s + MIN_LOSS_S)

    def __str__(self) -> str:
        """Say it in a sentence."""
        verdict = "may save time" if self.pays else "cannot save time"
        basis = "the usual length of replies and the pace that" if self.usual else "what"
        came = "" if self.came_s is None else f"; the answer took {self.came_s:.1f} s"
        return (
            f"splitting into {self.threads} threads {verdict}: {self.split_s:.1f} s are forecast, "
            f"{self.single_s:.1f} s in one call, from {basis} this endpoint has shown so far{came}"
        )


def forecast(
    *,
    parts: int,
    tokens: int,
    at_once: int,
    solving: Pace,
    reviewing: Pace | None,
    window: int | None,
    joins: bool = True,
) -> Forecast | None:
    """Weigh a split against one call.

    Threads write what they wrote so far on the mean, and one call writes that end to end. The split is taken at its
    best in the rest (the review reads results that are short, and no thread is sent back), so that it is given up only
    when it cannot save time. Where the results are the answer as they stand, so is the review: the shortest seen.

    Args:
        parts: Independent parts.
        tokens: Size of the question and its documents.
        at_once: Threads that can run at the same time.
        solving: What the endpoint of the threads has shown, which also answers directly.
        reviewing: The same of the endpoint that reviews; nothing where no model is asked to.
        window: Tokens that prompt and reply may have together, where known.
        joins: Whether the review has to write the answer from the results.

    Returns:
        Nothing while too little is known, or when one call could not hold it all.
    """
    threads, reviews = solving.of("solve"), reviewing.of("review") if reviewing else None
    if not (threads.enough and (reviews is None or reviews.enough)):
        return None
    if window is not None and tokens + parts * threads.output > window:
        return None
    waves = math.ceil(parts / max(1, at_once))
    split = waves * solving.seconds(read=tokens / parts, written=threads.output, side_by_side=True)
    if reviewing and reviews:
        split += reviewing.seconds(read=0, written=reviews.output if joins else reviews.least)
    return Forecast(
        threads=parts,
        split_s=round(split, 3),
        single_s=round(solving.seconds(read=tokens, written=parts * threads.output), 3),
        usual=not (threads.calls and (reviews is None or reviews.calls)),
    )


def add_outcome(ahead: Forecast | None, calls: Iterable[Call], wall_s: float) -> Forecast | None:
    """Add to a forecast what came.

    Args:
        ahead: The forecast, if there is one.
        calls: The run's.
        wall_s: Seconds from the start of the run to its answer.
    """
    if ahead is None:
        return None
    assessed = last_end(call for call in calls if call.stage == "assess")
    return ahead.model_copy(update={"came_s": round(max(0.0, wall_s - assessed), 3)})
