"""What the replies to a thread come to: its result (pure)."""

from collections.abc import Sequence
from typing import Any

from nodes.asking.thread import list_handed_on
from nodes.llm.endpoints.usage import Call, total_usage
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.reply import Reply
from nodes.llm.replies.text import short_result
from nodes.settings import Settings
from nodes.state import ThreadTask
from nodes.threads.context_rot import marks_of, repetition
from nodes.threads.results import Mark, ThreadResult, keep_earlier

HANDED_ON = "it handed on what it found to work on, and nobody has worked on that"
"""Why a thread that handed parts on has no answer, where the run ends before those are worked on."""


def thread_result(
    task: ThreadTask, settings: Settings, calls: list[Call], outcomes: Sequence[Reply | ModelError]
) -> ThreadResult:
    """Make the result of a thread of the requests that were made for it, and of what came of each of its parts."""
    before = task.previous
    common: dict[str, Any] = {
        "id": task.spec.id,
        "subquestion": task.spec.subquestion,
        "needs": task.spec.needs,
        "attempts": len(calls) + (before.attempts if before else 0),
        "rounds": before.rounds + 1 if before else 1,
        "model": _model_of(calls) or settings.model_for("solve"),
        "usage": total_usage(calls) + before.usage if before else total_usage(calls),
        "marks": list(dict.fromkeys([*(before.marks if before else []), *_marks(settings, calls, outcomes)])),
    }
    said = [reply for outcome in outcomes if (reply := read_outcome(outcome)[0])]
    last, (_, shortfall) = outcomes[-1], read_outcome(outcomes[-1])
    if shortfall and before and before.answer:
        return keep_earlier(before, shortfall, **common)
    told = {
        "text": "\n\n".join(reply.text for reply in said),
        "reasoning": "\n\n".join(reply.reasoning for reply in said if reply.reasoning),
        "finish_reason": said[-1].finish_reason if said else "",
    }
    if not shortfall and (parts := list_handed_on(task, settings, said[-1].text)):
        return ThreadResult(**common, **told, status="failed", error=HANDED_ON, parts=parts)
    if not shortfall:
        answers = [short_result(reply.text) for reply in said]
        several = answers if len(answers) > 1 else []
        return ThreadResult(**common, **told, status="answered", answer="\n".join(answers), answers=several)
    late = isinstance(last, ModelError) and last.kind in ("timed_out", "deadline")
    return ThreadResult(**common, **told, status="timed_out" if late else "failed", error=shortfall)


def read_outcome(outcome: Reply | ModelError) -> tuple[Reply | None, str]:
    """Return what the model said, if anything, and why it is no answer that stands, if it is none."""
    return (outcome.reply, str(outcome)) if isinstance(outcome, ModelError) else (outcome, outcome.shortfall)


def _marks(settings: Settings, calls: list[Call], outcomes: Sequence[Reply | ModelError]) -> list[Mark]:
    kinds = [outcome.kind for outcome in outcomes if isinstance(outcome, ModelError)]
    said = [reply for outcome in outcomes if (reply := read_outcome(outcome)[0])]
    return marks_of(
        calls,
        text=max((f"{reply.reasoning}\n{reply.text}" for reply in said), key=repetition, default=""),
        cut="truncated" in kinds or any(reply.state == "cut" for reply in said),
        too_long="context_length" in kinds,
        window_share=settings.window_share,
    )


def _model_of(calls: list[Call]) -> str:
    """Return the model that answered, else the last one asked."""
    return next((call.model for call in calls if call.status == "ok"), calls[-1].model if calls else "")
