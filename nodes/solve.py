"""Solve: one thread. Whatever befalls it becomes a result, so that its siblings and the join go on."""

import logging
from typing import Any

from langgraph.runtime import Runtime

from nodes.fanout import fan_out
from nodes.llm.caller import Caller
from nodes.llm.errors import ModelError
from nodes.llm.reply import Reply
from nodes.llm.text import has_result, short_result
from nodes.llm.usage import total_usage
from nodes.materials import whole
from nodes.progress import tell_thread
from nodes.results import Status, ThreadResult
from nodes.settings import Settings, settings_of
from nodes.state import ThreadTask
from prompts import PROMPTS, block

PROMPT = PROMPTS["solve"].checked({"context", "critique", "instructions", "material", "subquestion"})

_log = logging.getLogger(__name__)


async def solve(state: ThreadTask, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Work on one thread when its turn comes, within its time limit."""
    task, settings = state, settings_of(runtime)
    caller = Caller(
        settings,
        "solve",
        run=task.run,
        prompt=PROMPT.label,
        time_limit=settings.thread_timeout,
        thread_id=task.spec.id,
        round=task.round,
    )
    slots, queued_at = await _slots(caller), task.run.elapsed()
    shared = fan_out(task.run.id, task.round, min(task.degree, slots or task.degree))
    tell_thread(runtime, task, shared, "queued")
    async with shared.turns:
        started = task.run.elapsed()
        tell_thread(runtime, task, shared, "running")
        outcome = await _outcome(task, caller)
    result = _result(task, caller, outcome).model_copy(
        update={
            "queued_s": round(started - queued_at, 3),
            "started_s": round(started, 3),
            "latency_s": round(task.run.elapsed() - started, 3),
        }
    )
    shared.done += 1
    tell_thread(runtime, task, shared, result.status, result.usage.total)
    return {"results": {task.spec.id: result}, "calls": caller.calls}


async def _slots(caller: Caller) -> int | None:
    """Return how many requests the server works on at once, where that is known."""
    try:
        return (await caller.client()).endpoint.slots
    except Exception:  # the call itself will tell
        return None


async def _outcome(task: ThreadTask, caller: Caller) -> Reply | ModelError:
    try:
        reply = await caller.text(_messages(task))
    except ModelError as error:
        return error
    except Exception as error:  # a fault of ours must not sink the siblings either
        _log.exception("thread %s broke", task.spec.id)
        return ModelError("bad_reply", f"{type(error).__name__}: {error}")
    return reply


def _messages(task: ThreadTask) -> Any:
    earlier = f"Your earlier result: {task.previous.answer}\n" if task.previous and task.previous.answer else ""
    return PROMPT.messages(
        instructions=block("Instructions", task.instructions),
        context=block("What holds for every part", task.shared_context),
        material=block("Material", whole(task.segments)),
        critique=block(
            "A reviewer sent this back",
            f"{earlier}{task.critique}\nDo it again from the start." if task.critique else "",
        ),
        subquestion=task.spec.subquestion,
    )


def _result(task: ThreadTask, caller: Caller, outcome: Reply | ModelError) -> ThreadResult:
    before = task.previous
    usage = total_usage(caller.calls) + before.usage if before else total_usage(caller.calls)
    common: dict[str, Any] = {
        "id": task.spec.id,
        "subquestion": task.spec.subquestion,
        "attempts": len(caller.calls) + (before.attempts if before else 0),
        "rounds": task.round + 1 if before is None else before.rounds + 1,
        "model": caller.model,
        "usage": usage,
    }
    if isinstance(outcome, ModelError):
        if before and before.answer:
            # Its refuted answer is worth more than none, and stays refuted.
            error = f"{before.error}; sent back, but {outcome}"
            return before.model_copy(update=common | {"status": "refuted", "error": error})
        status: Status = "timed_out" if outcome.kind == "timed_out" else "failed"
        return ThreadResult(**common, status=status, error=str(outcome))
    told = {"text": outcome.text, "reasoning": outcome.reasoning, "finish_reason": outcome.finish_reason}
    if outcome.finish_reason == "length" and not has_result(outcome.text):
        error = "the reply was cut at the token limit before its result; raise `max_tokens`"
        return ThreadResult(**common, **told, status="failed", error=error)
    return ThreadResult(**common, **told, status="answered", answer=short_result(outcome.text))
