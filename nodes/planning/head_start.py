"""What may begin before it is certain: whether that is worth its tokens, and what threads will be asked (pure)."""

from collections.abc import Sequence

from nodes.input.segments import Segment
from nodes.llm.endpoints.pace import IN_VAIN, SHORT_REPLY_TOKENS, Pace
from nodes.planning.needs import widest
from nodes.planning.outline import list_unnamed_so_far, read_parts
from nodes.planning.plan import ThreadPlan, make_plan

MIN_OUTLINES_SEEN = 5
"""Outlines of an endpoint that must have been seen before anything is expected of it."""
TOKENS_A_SECOND_IS_WORTH = 1_000
"""Tokens that may be spent in vain where they save a second."""
SHORT_QUESTION_TOKENS = 48
"""Tokens of a question, documents and instructions included, above which no short answer is waited for."""
SLOWER_BESIDE = 1.5
"""Times as long as alone that threads take side by side where it is better to make two calls one after the other."""
RETRY_EVERY = 4
"""Outlines after which a short answer is tried once more where that was mostly in vain: users change what they ask."""
PATIENCE = 1.5
"""Times as long as a short answer is expected to take that it is waited for: what a call takes in any case, however
little it reads and writes, is in no forecast."""


def is_worth_it(*, tokens: int, solving: Pace, assessing: Pace) -> bool:
    """Tell whether to begin the direct answer while the question is assessed.

    By expected value: what it saves if there is nothing to split, against what it costs if there is. The shares of both
    are those seen so far, with a prior of one question of either kind (the rule of succession, P. S. Laplace 1774).

    Args:
        tokens: Size of the question and its documents.
        solving: What the endpoint of the direct answer has shown.
        assessing: The same of the endpoint that assesses.
    """
    outlines, answers = assessing.of("assess"), solving.of("direct")
    if outlines.calls < MIN_OUTLINES_SEEN:
        return False
    split = (max(0, outlines.calls - answers.calls) + 1) / (outlines.calls + 2)
    outline_s = assessing.seconds(read=tokens, written=outlines.output)
    answer_s = solving.seconds(read=tokens, written=answers.output)
    slower = _slower_beside(solving)
    # Side by side both are slower until the first of them has ended; an answer that is first needs no outline.
    together_s = slower * min(outline_s, answer_s) + max(0.0, answer_s - outline_s)
    saved_s = outline_s + answer_s - together_s
    written = min(answers.output, answers.output * outline_s / answer_s) if answer_s else 0.0
    lost_s = (slower - 1) * outline_s + (tokens + written) / TOKENS_A_SECOND_IS_WORTH
    return (1 - split) * saved_s > split * lost_s


def short_answer_wait_s(*, tokens: int, solving: Pace, assessing: Pace, beside: bool) -> float:
    """Return the seconds that the outline should wait for a direct answer, which may be a short one; 0 for not at all.

    Where two calls slow each other down, the answer to a short question is best tried alone: a short one needs no
    outline then. Where that was in vain two times more than short answers have come, it is tried now and then only.

    Args:
        tokens: Size of the question, its documents and its instructions.
        solving: What the endpoint of the direct answer has shown.
        assessing: The same of the endpoint that assesses.
        beside: Whether the server has room for both at once.
    """
    if tokens > SHORT_QUESTION_TOKENS or (beside and _slower_beside(solving) < SLOWER_BESIDE):
        return 0.0
    # The first call of all finds a server that is still setting up, and says little.
    if solving.of(IN_VAIN).calls > solving.of("direct").short + 1 and assessing.of("assess").calls % RETRY_EVERY:
        return 0.0
    return PATIENCE * solving.seconds(read=tokens, written=SHORT_REPLY_TOKENS)


def _slower_beside(pace: Pace) -> float:
    """Return how many times as long calls take side by side."""
    alone, beside = (pace.seconds(read=0, written=1, side_by_side=beside) for beside in (False, True))
    return max(1.0, beside / alone) if alone else 1.0


def preview(
    lines: Sequence[str], segments: Sequence[Segment], *, max_threads: int, max_parallel: int
) -> ThreadPlan | None:
    """Plan the threads of an outline that is still being written.

    What they will be told of the rest of the question is as it will probably be when all lines are there.

    Args:
        lines: Those that are complete.
        segments: The numbered input.
        max_threads: Most threads.
        max_parallel: Most threads at once.

    Returns:
        The plan so far; nothing while it is not certain that there is anything to split.
    """
    parts = read_parts(lines, segments).parts
    if len(widest(parts)) < 2 or len(parts) > max_threads:
        return None
    plan = make_plan(parts, "text", segments, max_threads=max_threads, max_parallel=max_parallel).plan
    context = "\n".join(segment.text for segment in list_unnamed_so_far(parts, segments))
    return plan.model_copy(update={"shared_context": context})
