"""When the answers of some threads of a round suffice, so that the others are not needed (pure)."""

from collections import Counter
from collections.abc import Sequence

from nodes.shared.cleaning import fold
from nodes.shared.knobs.work import StopWhen

ANSWERED = "not needed: another thread had answered"
AGREED = "not needed: the others agree"


def find_enough(stop_when: StopWhen, answers: Sequence[str], planned: int) -> str:
    """Say why no more answers are needed; empty while they are.

    Args:
        stop_when: What suffices.
        answers: Those that are there.
        planned: How many threads the plan has.
    """
    if stop_when == "first_answer":
        return ANSWERED if answers else ""
    alike = max(Counter(fold(answer) for answer in answers).values(), default=0)
    return AGREED if stop_when == "agreement" and 2 * alike > planned else ""
