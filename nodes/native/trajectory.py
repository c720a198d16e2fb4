"""What a trajectory holds beside its threads: the answer, and how many tokens it takes (pure)."""

from collections.abc import Iterable

from nodes.llm.endpoints.usage import Call
from nodes.llm.replies.reasoning import TAGS, split_reasoning
from nodes.native.grammar import Grammar

MARKUP_TOKENS = 16
"""Tokens that the client writes around a thread, at most."""
BYTES_A_TOKEN = 2
"""Fewer than is usual in any language, for a text that no server has counted: too many tokens do less harm."""


def find_answer(grammar: Grammar, prompt: str, written: str) -> str:
    """Return what follows the reasoning: the thoughts, and the threads. Empty where there is no more than those.

    Args:
        grammar: The format.
        prompt: The text before; some templates open the thoughts.
        written: All that came after it.
    """
    opened = next((start for start, _ in TAGS if prompt.rstrip().endswith(start)), "")
    _, answer = split_reasoning(opened + written)
    after = answer.rpartition(grammar.block_end)[2]
    return "" if grammar.outlines_start in after else after.strip()


def count_tokens(calls: Iterable[Call], text: str) -> int:
    """Return how many tokens a text has: what servers counted when it was written, else an estimate.

    Args:
        calls: The run's requests.
        text: Prompt and trajectory so far.
    """
    read, written = 0, 0
    for call in calls:
        if not call.usage.total:
            continue
        if call.thread_id:
            written += call.usage.output + MARKUP_TOKENS
        else:
            read, written = call.usage.total, 0
    return read + written if read else len(text.encode()) // BYTES_A_TOKEN
