"""What one task may still use of its run: time, tokens and dollars."""

import math
from dataclasses import dataclass
from functools import partial

from nodes.llm.endpoints.price import charge, show_dollars
from nodes.llm.limits.ledger import Ledger, Spending
from nodes.settings import Settings
from nodes.shared.environment import environment_workers
from nodes.shared.run import Run, now

SHARES = {"assess": 0.25, "decompose": 0.5, "solve": 0.8, "direct": 1.0, "review": 1.0}
"""By stage: the share of the run's time by which it must end, so that what hangs leaves time for an answer."""
MAX_RESERVE_S = 30.0
"""Seconds that are kept after the threads, at most: enough for a review."""


@dataclass(frozen=True)
class Budget:
    """What one task may still use.

    Attributes:
        latest: When it must end, in seconds since the epoch.
        ledger: The tokens and dollars that it shares with the tasks beside it.
    """

    latest: float
    ledger: Ledger


def budget(settings: Settings, run: Run, stage: str, spent: Spending, ledger: Ledger | None = None) -> Budget:
    """Return what a task of a stage may still use.

    Args:
        settings: The run's settings.
        run: The run.
        stage: A key of `SHARES`.
        spent: What the run has used so far.
        ledger: The one that it shares with others, if so.
    """
    return Budget(latest(settings, run, stage), ledger or open_ledger(settings, run, spent))


def open_ledger(
    settings: Settings, run: Run, spent: Spending, *, keep_review: bool = False, threads: int = 1
) -> Ledger:
    """Return what tasks share from now on: with those of other processes, where this is one of several.

    Args:
        settings: The run's settings.
        run: The run.
        spent: What it has used so far.
        keep_review: Whether to leave as much as the review is expected to use.
        threads: How many tasks begin, wherever they run.
    """
    unlimited = settings.max_total_tokens is None and settings.max_cost is None
    if unlimited or environment_workers() == 1:
        return Ledger(settings, spent, keep_review=keep_review)
    from nodes.llm.limits.several.purse import SharedPurse

    make = partial(SharedPurse, run_id=run.id, threads=threads)
    return Ledger(settings, spent, keep_review=keep_review, make=make)


def latest(settings: Settings, run: Run, stage: str) -> float:
    """Return when a stage must have ended, in seconds since the epoch; infinite without a deadline."""
    left = left_for(settings, stage, 0.0)
    return math.inf if left is None else run.started_at + left


def left_for(settings: Settings, stage: str, elapsed: float) -> float | None:
    """Return the seconds that a stage may still take, so long after the run's start; `None` without a deadline."""
    if settings.deadline is None:
        return None
    reserve = (1 - SHARES[stage]) * settings.deadline
    return settings.deadline - (min(reserve, MAX_RESERVE_S) if stage == "solve" else reserve) - elapsed


def find_exhaustion(settings: Settings, run: Run, spent: Spending) -> str:
    """Say why no further thread may start; empty when one may."""
    if now() >= latest(settings, run, "solve"):
        return f"the run's deadline of {settings.deadline:g} s (`deadline`) leaves no time for more threads"
    limit = settings.max_total_tokens
    if limit is not None and spent.total + spent.a_thread.total + spent.outline.total > limit:
        return f"{spent.total:,} of {limit:,} tokens (`max_total_tokens`) are used, too many for another thread"
    if settings.max_cost is not None:
        gone = spent.cost(settings)
        more = charge(settings, settings.model_for("solve"), spent.a_thread)
        more += charge(settings, settings.model_for("review"), spent.outline)
        if gone + more > settings.max_cost:
            most = show_dollars(settings.max_cost)
            return f"{show_dollars(gone)} of {most} (`max_cost`) are spent, too much for another thread"
    return ""
