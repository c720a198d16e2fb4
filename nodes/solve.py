"""Solve: one thread. Whatever befalls it becomes a result, so that its siblings and the join go on."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from langgraph.runtime import Runtime

from nodes.asking.ahead import key_of as call_key
from nodes.asking.check import check
from nodes.asking.thread import THREAD, by_part, messages
from nodes.boundary.needs import is_settled, lack, take_needs
from nodes.boundary.progress import tell_result, tell_thread
from nodes.llm import flights
from nodes.llm.caller import Caller
from nodes.llm.clients import known_client
from nodes.llm.endpoints.usage import Call, Usage, total_usage
from nodes.llm.limits.budget import Budget, latest
from nodes.llm.limits.ledger import Ledger
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.reply import Reply
from nodes.llm.replies.text import short_result
from nodes.settings import Settings, settings_of
from nodes.shared.masking import mask_text, trace_of
from nodes.state import ThreadTask
from nodes.threads.board import board_of
from nodes.threads.cache import Kept, key_of, make_kept, thread_cache
from nodes.threads.context_rot import marks_of, repetition
from nodes.threads.fan_out import FanOut, fan_out
from nodes.threads.results import Mark, ThreadResult
from nodes.threads.stragglers import THREADS_A_HEDGE, Stragglers, race

_log = logging.getLogger(__name__)


async def solve(state: ThreadTask, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Work on one thread, as soon as the results are there that it builds on; leave its own for those that wait."""
    task, settings, board = state, settings_of(runtime), board_of(state.run.id, state.round)
    if task.needed:
        board.expect(task.spec.id)
    until = latest(settings, task.run, "solve")
    client = await known_client(settings, "solve", until=until)
    slots = client.slots if client else None
    shared, missing = fan_out(task.run.id, task.round, lambda: _share(task, settings, slots)), ""
    if task.spec.needs:
        tell_thread(runtime, task, shared, "queued")
        task, missing = await take_needs(task, board, until=until)
    if missing or is_settled(task, state):
        result = lack(task, missing) if missing or task.previous is None else task.previous
        update: dict[str, Any] = {"results": {task.spec.id: result}}
        shared.done += 1
        tell_result(runtime, task, shared, result)
    else:
        update = await _solve(task, settings, runtime, shared)
    if task.needed:
        board.tell(update["results"][task.spec.id])
    return update


async def _solve(task: ThreadTask, settings: Settings, runtime: Runtime[Settings], shared: FanOut) -> dict[str, Any]:
    """Ask the model, unless the cache knows the result or another thread is about to find it."""
    cache = await thread_cache(settings)
    if cache is None:
        return await _ask(task, settings, runtime, shared)
    key, found, flight = _cache_key(task, settings), None, None
    # What a reviewer sent back is never answered from the cache.
    if not task.round:
        found, flight = await cache.find(key, latest(settings, task.run, "solve"))
    if found:
        return _from_cache(task, runtime, shared, key, found)
    kept: Kept | None = None
    try:
        update = await _ask(task, settings, runtime, shared)
        result = update["results"][task.spec.id].model_copy(update={"cache_key": key})
        kept = make_kept(result)
        return update | {"results": {task.spec.id: result}}
    finally:
        if flight:
            cache.land(key, flight, kept)


def _cache_key(task: ThreadTask, settings: Settings) -> str:
    """Hash what the thread is asked at first; what it is asked when sent back leads to a better answer to the same."""
    first = task.model_copy(update={"critique": "", "previous": None})
    asked = [message for piece in by_part(first) for message in messages(piece, settings)]
    return key_of(asked, settings, THREAD.prompt(settings).label)


def _from_cache(task: ThreadTask, runtime: Runtime[Settings], shared: FanOut, key: str, found: Kept) -> dict[str, Any]:
    known = {**found.model_dump(), "started_s": round(task.run.elapsed(), 3), "cached": True, "cache_key": key}
    told = {"id": task.spec.id, "subquestion": task.spec.subquestion, "needs": task.spec.needs}
    result = ThreadResult(**told, status="answered", **known)
    shared.done += 1
    tell_result(runtime, task, shared, result)
    return {"results": {task.spec.id: result}}


async def _ask(task: ThreadTask, settings: Settings, runtime: Runtime[Settings], shared: FanOut) -> dict[str, Any]:
    """Ask the model when the thread's turn comes, within its time limit."""
    queued_at = task.run.elapsed()
    tell_thread(runtime, task, shared, "queued")
    async with shared.turns:
        outcomes, calls = await _work(task, settings, shared, lambda: tell_thread(runtime, task, shared, "running"))
    ended = task.run.elapsed()
    started = calls[0].started_s if calls else ended
    if calls:
        calls[0].queued_s = max(0.0, started - queued_at)
    result = _result(task, settings, calls, outcomes).model_copy(
        update={
            "queued_s": round(max(0.0, started - queued_at), 3),
            "started_s": round(started, 3),
            "latency_s": round(ended - started, 3),
        }
    )
    if result.status == "answered":
        shared.stragglers.finished(ended - started)
        if settings.review == "careful":
            within = Budget(latest(settings, task.run, "solve"), shared.ledger)
            result, checks = await check(task, result, settings, within)
            calls = [*calls, *checks]
    shared.done += 1
    tell_result(runtime, task, shared, result)
    return {"results": {task.spec.id: result}, "calls": calls}


def _share(task: ThreadTask, settings: Settings, slots: int | None) -> FanOut:
    """Make what the threads of this round share."""
    return FanOut(
        min(task.degree, slots or task.degree),
        Ledger(settings.max_total_tokens, task.spent, kept=task.spent.join),
        Stragglers(
            settings.hedge,
            threads=task.planned - task.settled,
            left=max(1, task.planned // THREADS_A_HEDGE) - len(task.hedged),
        ),
    )


async def _work(
    task: ThreadTask, settings: Settings, shared: FanOut, on_start: Callable[[], None]
) -> tuple[list[Reply | ModelError], list[Call]]:
    """Ask for each part of the thread in turn, until one has no whole reply; return what came, and every request."""
    outcomes: list[Reply | ModelError] = []
    calls: list[Call] = []
    for piece in by_part(task):
        left = settings.thread_timeout - sum(call.latency_s for call in calls if call.status == "ok")
        outcome, made = await _work_on(piece, settings, shared, on_start, left)
        outcomes.append(outcome)
        calls += made
        if _read_outcome(outcome)[1]:
            break
    return outcomes, calls


async def _work_on(
    task: ThreadTask, settings: Settings, shared: FanOut, on_start: Callable[[], None], seconds: float
) -> tuple[Reply | ModelError, list[Call]]:
    """Ask, a second time should the thread be late, within so many seconds."""
    asked, started = messages(task, settings), asyncio.Event()
    begun = flights.take(task.run.id, call_key(task, asked)) if not task.round else None

    def begin() -> None:
        started.set()
        on_start()

    callers = [begun.caller if begun else _caller(task, settings, shared, seconds, on_start=begin)]
    if begun:
        begin()

    def ask() -> Coroutine[Any, Any, Reply]:
        return begun.land() if begun else callers[0].text(asked)

    def copy() -> Coroutine[Any, Any, Reply]:
        left = seconds - (task.run.elapsed() - callers[0].calls[0].started_s)
        callers.append(_caller(task, settings, shared, left, hedge=True))
        return callers[-1].text(asked)

    outcome: Reply | ModelError
    try:
        if shared.stragglers.on and task.spec.id not in task.hedged:
            outcome = await race(ask(), copy, shared.stragglers.late(started))
        else:
            outcome = await ask()
    except ModelError as error:
        outcome = error
    except Exception as error:  # a fault of ours must not sink the siblings either
        _log.error("thread %s broke:\n%s", task.spec.id, trace_of(error))
        outcome = ModelError("bad_reply", mask_text(f"{type(error).__name__}: {error}"))
    calls = [call for caller in callers for call in caller.calls]
    if len(callers) > 1:
        _charge_the_loser(calls)
    return outcome, calls


def _caller(
    task: ThreadTask,
    settings: Settings,
    shared: FanOut,
    time_limit: float,
    *,
    hedge: bool = False,
    on_start: Callable[[], None] | None = None,
) -> Caller:
    within = Budget(latest(settings, task.run, "solve"), shared.ledger)
    asked = THREAD.task(
        settings, task.run, within, thread=task.spec, round=task.round, time_limit=time_limit, hedge=hedge
    )
    return Caller(settings, asked, on_start)


def _charge_the_loser(calls: list[Call]) -> None:
    """Count the prompt of the copy that was cancelled: it read what the other one read."""
    read = next((call.usage.input for call in calls if call.status == "ok"), 0)
    for call in calls:
        if call.status == "cancelled":
            call.usage = Usage(input=read, total=read)


def _result(
    task: ThreadTask, settings: Settings, calls: list[Call], outcomes: Sequence[Reply | ModelError]
) -> ThreadResult:
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
    said = [reply for outcome in outcomes if (reply := _read_outcome(outcome)[0])]
    last, (_, shortfall) = outcomes[-1], _read_outcome(outcomes[-1])
    if shortfall and before and before.answer:
        # Its earlier answer is worth more than none, and stands or stays refuted as it was.
        error = "; ".join(part for part in (before.error, f"sent back, but {shortfall}") if part)
        return before.model_copy(update=common | {"error": error})
    told = {
        "text": "\n\n".join(reply.text for reply in said),
        "reasoning": "\n\n".join(reply.reasoning for reply in said if reply.reasoning),
        "finish_reason": said[-1].finish_reason if said else "",
    }
    if not shortfall:
        answers = [short_result(reply.text) for reply in said]
        several = answers if len(answers) > 1 else []
        return ThreadResult(**common, **told, status="answered", answer="\n".join(answers), answers=several)
    late = isinstance(last, ModelError) and last.kind in ("timed_out", "deadline")
    return ThreadResult(**common, **told, status="timed_out" if late else "failed", error=shortfall)


def _read_outcome(outcome: Reply | ModelError) -> tuple[Reply | None, str]:
    """Return what the model said, if anything, and why it is no answer that stands, if it is none."""
    return (outcome.reply, str(outcome)) if isinstance(outcome, ModelError) else (outcome, outcome.shortfall)


def _marks(settings: Settings, calls: list[Call], outcomes: Sequence[Reply | ModelError]) -> list[Mark]:
    kinds = [outcome.kind for outcome in outcomes if isinstance(outcome, ModelError)]
    said = [reply for outcome in outcomes if (reply := _read_outcome(outcome)[0])]
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
