"""Means with their 95 % intervals, and the measures of a yes-or-no decision (pure)."""

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

Z = 1.959964
"""Of the normal distribution, for 95 %."""
RESAMPLES = 2_000


class Mean(NamedTuple):
    """A mean and the interval that it lies in with 95 % confidence."""

    mean: float
    low: float
    high: float


def wilson(right: int, of: int) -> Mean:
    """Return a share with Wilson's interval (E. B. Wilson, JASA 22, 1927), which is sound for few items too."""
    if not of:
        return Mean(math.nan, math.nan, math.nan)
    share, weight = right / of, Z * Z / of
    centre, half = share + weight / 2, Z * math.sqrt(share * (1 - share) / of + weight / (4 * of))
    return Mean(share, max(0.0, (centre - half) / (1 + weight)), min(1.0, (centre + half) / (1 + weight)))


def bootstrap(values: Sequence[float], seed: int = 0) -> Mean:
    """Return the mean of values between 0 and 1 with a percentile bootstrap interval over items (B. Efron, 1979).

    Where all values are 0 or all are 1, resampling would show an interval of no width; Wilson's is shown then.
    """
    if not values or set(values) in ({0.0}, {1.0}):
        return wilson(round(sum(values)), len(values))
    return resample(values, seed)


def resample(values: Sequence[float], seed: int = 0) -> Mean:
    """Return the mean of values of any size, such as differences of pairs, with a percentile bootstrap interval."""
    return ratio([(value, 1.0) for value in values], seed)


def ratio(pairs: Sequence[tuple[float, float]], seed: int = 0) -> Mean:
    """Return the ratio of the means of pairs with a percentile bootstrap interval over the pairs.

    Args:
        pairs: What is measured and what it is measured against, which is above 0, of each item.
        seed: Of the resampling.
    """
    if not pairs:
        return Mean(math.nan, math.nan, math.nan)
    rng = random.Random(seed)
    drawn = sorted(_of_means(rng.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES))
    return Mean(_of_means(pairs), drawn[int(0.025 * RESAMPLES)], drawn[int(0.975 * RESAMPLES) - 1])


def _of_means(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(above for above, _ in pairs) / sum(below for _, below in pairs)


class Decision(NamedTuple):
    """How well a yes-or-no decision agrees with the truth."""

    balanced_accuracy: float
    """Mean of the shares of yes and of no that were met; a constant answer has 0.5."""
    f1: float
    false_positives: float
    """Share of the noes that were called yes."""


def decision(said: Sequence[bool], true: Sequence[bool]) -> Decision:
    """Measure a decision; of a truth with one side only, the accuracy on that side is shown."""
    pairs = list(zip(said, true, strict=True))
    hits, positives = sum(a and b for a, b in pairs), sum(true)
    rejected, negatives = sum(not a and not b for a, b in pairs), len(pairs) - positives
    sides = [hits / positives] if positives else []
    sides += [rejected / negatives] if negatives else []
    called = sum(said)
    return Decision(
        sum(sides) / len(sides) if sides else math.nan,
        2 * hits / (called + positives) if called + positives else math.nan,
        1 - rejected / negatives if negatives else math.nan,
    )
