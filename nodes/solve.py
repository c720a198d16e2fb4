"""Solve: one thread. Whatever befalls it becomes a result, so that its siblings and the join go on."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from langgraph.runtime import Runtime

from nodes.asking.ahead import drop_thread, take_thread
from nodes.asking.check import check, checker
from nodes.asking.outcome import read_outcome, thread_result
from nodes.asking.thread import by_part, messages, stage_of
from nodes.boundary.needs import is_settled, lack, take_needs
from nodes.boundary.progress import tell_result, tell_thread
from nodes.boundary.stopped import stop_if_enough, stop_result
from nodes.llm.caller import Caller
from nodes.llm.clients import known_client
from nodes.llm.endpoints.usage import Call, Usage
from nodes.llm.limits.budget import Budget, latest
from nodes.llm.limits.ledger import Ledger
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.reply import Reply
from nodes.settings import Settings, settings_of
from nodes.shared.masking import mask_text, trace_of
from nodes.state import ThreadTask
from nodes.threads.board import Board, board_of
from nodes.threads.cache import Kept, key_of, make_kept, thread_cache
from nodes.threads.fan_out import FanOut, fan_out
from nodes.threads.results import ThreadResult
from nodes.threads.stopping import AtWork, at_work
from nodes.threads.stragglers import THREADS_A_HEDGE, Stragglers, race

_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where a thread works: under which settings, beside which others, and who may stop it."""

    settings: Settings
    runtime: Runtime[Settings]
    shared: FanOut
    board: Board
    entry: AtWork


async def solve(state: ThreadTask, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Work on one thread, as soon as the results are there that it builds on; leave its own for those that wait."""
    task, settings, board = state, settings_of(runtime), board_of(state.run.id, state.round)
    if task.needed:
        board.expect(task.spec.id)
    client = await known_client(settings, "solve", until=latest(settings, task.run, "solve"))
    slots = client.slots if client else None
    shared = fan_out(task.run.id, task.round, lambda: _share(task, settings, slots))
    with at_work(task.run, task.spec.id) as entry:
        if board.enough:
            entry.stop("not_needed", board.enough)
        update = await entry.finish(_solve(task, Place(settings, runtime, shared, board, entry)))
    if update is None or entry.stopped:
        update = await _end_stopped(task, settings, update or {}, entry)
    result = update["results"][task.spec.id]
    shared.done += 1
    tell_result(runtime, task, shared, result)
    if task.needed:
        board.tell(result)
    return update


async def _end_stopped(task: ThreadTask, settings: Settings, came: dict[str, Any], entry: AtWork) -> dict[str, Any]:
    """Return the update of a thread that was stopped; its calls that had begun early break off, too."""
    vain = await drop_thread(by_part(task), settings)
    result = stop_result(task, came.get("results", {}).get(task.spec.id), entry)
    return {"results": {task.spec.id: result}, "calls": [*came.get("calls", []), *vain]}


async def _solve(task: ThreadTask, place: Place) -> dict[str, Any]:
    """Come to a result, and stop the others where no more is wanted: at once, before those in the queue are asked."""
    update = await _find_result(task, place)
    if not place.entry.stopped:
        stop_if_enough(task, update["results"][task.spec.id], place.settings, place.board)
    return update


async def _find_result(task: ThreadTask, place: Place) -> dict[str, Any]:
    """Wait for what the thread builds on; ask where that is there, and has changed since the thread ran last."""
    sent, missing = task, ""
    if task.spec.needs:
        tell_thread(place.runtime, task, place.shared, "queued")
        task, missing = await take_needs(task, place.board, until=latest(place.settings, task.run, "solve"))
    if missing:
        return {"results": {task.spec.id: lack(task, missing)}}
    if is_settled(task, sent):
        return {"results": {task.spec.id: task.previous}}
    return await _use_cache(task, place)


async def _use_cache(task: ThreadTask, place: Place) -> dict[str, Any]:
    """Ask the model, unless the cache knows the result or another thread is about to find it."""
    cache = await thread_cache(place.settings)
    if cache is None:
        return await _ask(task, place)
    key, found, flight = _cache_key(task, place.settings), None, None
    # What a reviewer sent back is never answered from the cache.
    if not task.round:
        found, flight = await cache.find(key, latest(place.settings, task.run, "solve"))
    if found:
        return _from_cache(task, key, found)
    kept: Kept | None = None
    try:
        update = await _ask(task, place)
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
    return key_of(asked, settings, stage_of(task.spec, settings).prompt(settings).label)


def _from_cache(task: ThreadTask, key: str, found: Kept) -> dict[str, Any]:
    known = {**found.model_dump(), "started_s": round(task.run.elapsed(), 3), "cached": True, "cache_key": key}
    told = {"id": task.spec.id, "subquestion": task.spec.subquestion, "needs": task.spec.needs}
    return {"results": {task.spec.id: ThreadResult(**told, status="answered", **known)}}


async def _ask(task: ThreadTask, place: Place) -> dict[str, Any]:
    """Ask the model when the thread's turn comes, within its time limit."""
    queued_at = task.run.elapsed()
    tell_thread(place.runtime, task, place.shared, "queued")
    async with place.shared.turns:
        outcomes, calls = await _work(task, place)
    ended = task.run.elapsed()
    started = calls[0].started_s if calls else ended
    if calls:
        calls[0].queued_s = max(0.0, started - queued_at)
    result = thread_result(task, place.settings, calls, outcomes).model_copy(
        update={
            "queued_s": round(max(0.0, started - queued_at), 3),
            "started_s": round(started, 3),
            "latency_s": round(ended - started, 3),
        }
    )
    if result.status == "answered":
        place.shared.stragglers.finished(ended - started)
        if place.settings.review == "careful":
            result, checks = await _check(task, result, place)
            calls = [*calls, *checks]
    return {"results": {task.spec.id: result}, "calls": calls}


async def _check(task: ThreadTask, result: ThreadResult, place: Place) -> tuple[ThreadResult, list[Call]]:
    """Have a result checked; returns it with what was found wrong, and every request made."""
    caller = checker(task, place.settings, _budget(task, place))
    try:
        result = await check(task, result, place.settings, caller)
    except asyncio.CancelledError:
        if not place.entry.stopped:
            raise
    return result, caller.calls


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


async def _work(task: ThreadTask, place: Place) -> tuple[list[Reply | ModelError], list[Call]]:
    """Ask for each part of the thread in turn, until one has no whole reply; return what came, and every request."""
    outcomes: list[Reply | ModelError] = []
    calls: list[Call] = []
    for piece in by_part(task):
        left = place.settings.thread_timeout - sum(call.latency_s for call in calls if call.status == "ok")
        outcome, made = await _work_on(
            piece, place, lambda: tell_thread(place.runtime, task, place.shared, "running"), left
        )
        outcomes.append(outcome)
        calls += made
        if read_outcome(outcome)[1]:
            break
    return outcomes, calls


async def _work_on(
    task: ThreadTask, place: Place, on_start: Callable[[], None], seconds: float
) -> tuple[Reply | ModelError, list[Call]]:
    """Ask, a second time should the thread be late, within so many seconds."""
    asked, started = messages(task, place.settings), asyncio.Event()
    begun = take_thread(task, asked)

    def begin() -> None:
        started.set()
        on_start()

    callers = [begun.caller if begun else _caller(task, place, seconds, on_start=begin)]
    if begun:
        begun.tell_start(begin)

    def ask() -> Coroutine[Any, Any, Reply]:
        return begun.land() if begun else callers[0].text(asked)

    def copy() -> Coroutine[Any, Any, Reply]:
        left = seconds - (task.run.elapsed() - callers[0].calls[0].started_s)
        callers.append(_caller(task, place, left, hedge=True))
        return callers[-1].text(asked)

    hedged = place.shared.stragglers.on and task.spec.id not in task.hedged
    asking = race(ask(), copy, place.shared.stragglers.late(started)) if hedged else ask()
    outcome = await _await_outcome(asking, callers, task, place)
    calls = [call for caller in callers for call in caller.calls]
    if len(callers) > 1:
        _charge_the_loser(calls)
    return outcome, calls


async def _await_outcome(
    asking: Coroutine[Any, Any, Reply], callers: Sequence[Caller], task: ThreadTask, place: Place
) -> Reply | ModelError:
    """Return the reply, or why there is none; of a thread that is stopped, what had come by then."""
    try:
        return await asking
    except ModelError as error:
        return error
    except asyncio.CancelledError:
        if not place.entry.stopped:
            raise
        said = max((caller.said for caller in callers if caller.said), key=lambda said: len(said.text), default=None)
        return ModelError("cancelled", place.entry.why, reply=said)
    except Exception as error:  # a fault of ours must not sink the siblings either
        _log.error("thread %s broke:\n%s", task.spec.id, trace_of(error))
        return ModelError("bad_reply", mask_text(f"{type(error).__name__}: {error}"))


def _caller(
    task: ThreadTask,
    place: Place,
    time_limit: float,
    *,
    hedge: bool = False,
    on_start: Callable[[], None] | None = None,
) -> Caller:
    settings, within = place.settings, _budget(task, place)
    asked = stage_of(task.spec, settings).task(
        settings, task.run, within, thread=task.spec, round=task.round, time_limit=time_limit, hedge=hedge
    )
    return Caller(settings, asked, on_start)


def _budget(task: ThreadTask, place: Place) -> Budget:
    return Budget(latest(place.settings, task.run, "solve"), place.shared.ledger)


def _charge_the_loser(calls: list[Call]) -> None:
    """Count the prompt of the copy that was cancelled: it read what the other one read."""
    read = next((call.usage.input for call in calls if call.status == "ok"), 0)
    for call in calls:
        if call.status == "cancelled" and read:
            call.usage = Usage(input=read, total=read)
