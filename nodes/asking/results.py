"""How results stand in a prompt, and what is said of those that are missing (pure)."""

from collections.abc import Sequence

from nodes.input.excerpts import json_line
from nodes.llm.replies.text import shorten
from nodes.shared.cleaning import one_line
from nodes.state import State
from nodes.threads.context_rot import MARK_WORDS
from nodes.threads.results import ThreadResult
from prompts import block

MAX_RESULT_CHARACTERS = 2_000
"""Characters of a result that the reader of all results sees, so that a hundred of them fit one context."""
MAX_ASKED = 200
"""Characters of a subquestion where a thread without an answer is named; whole, it stands in `threads`."""
STATUS_WORDS = {
    "answered": "answered",
    "failed": "failed",
    "timed_out": "timed out",
    "refuted": "refuted by the review",
}


def open_parts(state: State) -> str:
    """Name the parts that are worked out from the results."""
    waiting = state.plan.open_parts if state.plan else []
    return block("To be worked out from the results (#1 is the result of T1)", "\n".join(f"- {p}" for p in waiting))


def as_lines(results: Sequence[ThreadResult]) -> str:
    """Write results as JSON lines: whatever a thread wrote, it cannot end its own line and speak to the reader."""
    return "\n".join(
        json_line({"id": item.id, "asked": item.subquestion, "result": shorten(item.answer, MAX_RESULT_CHARACTERS)})
        for item in results
    )


def missing_line(thread: ThreadResult) -> str:
    """Say which thread has no answer that stands, and why."""
    why = thread.error or "; ".join(MARK_WORDS[mark] for mark in thread.marks)
    return f"{thread.id} ({one_line(thread.subquestion, MAX_ASKED)}): {STATUS_WORDS[thread.status]}: {why}"


def name_missing(broken: Sequence[ThreadResult], *, to_run_again: bool) -> str:
    """Name the threads without an answer that stands."""
    title = "These threads run again, so leave `answer` empty" if to_run_again else "Missing, to be said in the answer"
    return block(title, "\n".join(f"- {missing_line(thread)}" for thread in broken))


def put_together(threads: Sequence[ThreadResult]) -> str:
    """Lay the standing results side by side: the answer when the reviewer wrote none."""
    return "\n\n".join(f"{thread.subquestion}\n{thread.answer}" for thread in threads if thread.status == "answered")
