"""How many tokens must be generated one after another where a reply is followed: its critical path (pure).

Whoever rewards right answers and short critical paths together gets both: LAMaS has critical paths that are 38 to 46 %
shorter than those of MaAS, with scores no lower (X. Shi et al., arXiv 2601.10560, 2026). Here no thread runs, so what
threads would write is taken to be usual: the outline that was found and the known one share out the same work.
"""

from collections.abc import Sequence

from nodes.llm.limits.ledger import ENGLISH_CHARACTERS_A_TOKEN
from nodes.planning.needs import levels
from nodes.planning.outline import Part

STEP_TOKENS = 60
"""Generated for one step of a question: what threads of the embedded model usually write."""
PATH_SHARE = 0.2
"""Share of a right reply's score that a short critical path decides; a wrong one scores as before."""


def tokens_of(text: str) -> float:
    """Estimate the tokens of a text."""
    return len(text) / ENGLISH_CHARACTERS_A_TOKEN


def path_tokens(written: str, parts: Sequence[Part], steps: int) -> float:
    """Estimate the tokens that are generated one after another: the outline, then the longest chain of threads.

    Args:
        written: The outline, as it goes over the wire.
        parts: Its parts; where fewer than two can run at the same time, one call does all steps.
        steps: How many steps the question takes.
    """
    chain = levels(parts)
    threads = sum(len(level) for level in chain)
    split = any(len(level) > 1 for level in chain)
    return tokens_of(written) + steps * STEP_TOKENS * (len(chain) / threads if split else 1)


def with_path(points: float, found: float, least: float) -> float:
    """Take the critical path into a score.

    Args:
        points: The score without it.
        found: Tokens of the path that was found.
        least: Tokens of the shortest one known; a shorter one than that earns no more.
    """
    return points * (1 - PATH_SHARE + PATH_SHARE * min(1.0, least / found if found else 1.0))
