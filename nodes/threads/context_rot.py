"""Signs that a thread's context was too much for its model (pure).

Models read long contexts worse than short ones ("context rot": K. Hong, A. Troynikov and J. Huber, Chroma technical
report, 2025). A thread with such a sign is not asked the same once more but split into smaller ones.
"""

from collections.abc import Iterable

from nodes.llm.endpoints.usage import Call
from nodes.threads.results import Mark

MIN_REPETITION = 0.5
"""What `repetition` of people's texts stays far below: about 0.01 in the corpus of Welleck et al., against 0.4 and
more for models that loop."""
MIN_WORDS = 100
"""Words; fewer say nothing about repetition."""
MARK_WORDS: dict[Mark, str] = {
    "cut": "its reply was cut at the token limit",
    "crowded": "it filled most of the context window",
    "repetitive": "its text repeats itself",
    "too_long": "its material does not fit the context window",
    "sent_back_twice": "the reviewer sent it back twice",
}
"""What each mark means."""


def repetition(text: str, n: int = 4) -> float:
    """Return the share of repeated n-grams, 0 to 1: one less the distinct ones by all of them.

    *seq-rep-n* of S. Welleck et al., "Neural text generation with unlikelihood training", ICLR 2020, over
    words instead of tokens. 0 for texts too short to tell.
    """
    words = text.split()
    if len(words) < MIN_WORDS:
        return 0.0
    grams = [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams)


def marks_of(calls: Iterable[Call], *, text: str, cut: bool, too_long: bool, window_share: float) -> list[Mark]:
    """List the signs that one run of a thread shows.

    Args:
        calls: Its requests.
        text: All that it wrote.
        cut: Whether its reply was cut at the token limit.
        too_long: Whether its prompt was refused for its length.
        window_share: The share of the window above which it counts as crowded.
    """
    fullest = max((call.utilisation or 0.0 for call in calls), default=0.0)
    found: dict[Mark, bool] = {
        "cut": cut,
        "crowded": fullest > window_share,
        "repetitive": repetition(text) > MIN_REPETITION,
        "too_long": too_long,
    }
    return [mark for mark, there in found.items() if there]
