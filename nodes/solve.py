"""Solve: one thread. Whatever befalls it becomes a result, so that its siblings and the join go on."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple

from langgraph.runtime import Runtime

from nodes.asking.ahead import drop_thread
from nodes.asking.check import Check
from nodes.asking.outcome import read_outcome, thread_result
from nodes.asking.thread import by_part, messages, stage_of
from nodes.boundary.needs import is_settled, lack, take_needs
from nodes.boundary.progress import tell_result, tell_thread
from nodes.boundary.stopped import stop_if_enough, stop_result
from nodes.llm.endpoints.usage import Call
from nodes.llm.group import known_group
from nodes.llm.limits.budget import Budget, latest, open_ledger
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.reply import Reply
from nodes.planning.difficulty import choose_seat
from nodes.planning.solvers import choose_solver
from nodes.reporting.spans import sum_covered
from nodes.reporting.tracing import mark_thread, name_thread
from nodes.settings import Settings, settings_of
from nodes.solvers.chain import chain
from nodes.solvers.choice import list_knobs, solve_by
from nodes.solvers.work import Work, find_outcome
from nodes.state import ThreadTask
from nodes.threads.board import Board, board_of
from nodes.threads.cache import Kept, key_of, make_kept, thread_cache
from nodes.threads.fan_out import FanOut, fan_out
from nodes.threads.results import ThreadResult
from nodes.threads.stopping import AtWork, at_work
from nodes.threads.stragglers import THREADS_A_HEDGE, Stragglers
from nodes.tools.toolbox import uses_tools


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
    name_thread("solve", task.spec.id, task.round)
    if task.needed:
        board.expect(task.spec.id)
    servers = await known_group(settings, "solve", until=latest(settings, task.run, "solve"))
    slots = servers.slots if servers else None
    shared = fan_out(task.run.id, task.round, lambda: _share(task, settings, slots))
    shared.ledger.enter()
    with at_work(task.run, task.spec.id) as entry:
        if board.enough:
            entry.stop("not_needed", board.enough)
        update = await entry.finish(_solve(task, Place(settings, runtime, shared, board, entry)))
    if update is None or entry.stopped:
        update = await _end_stopped(task, settings, update or {}, entry)
    result = update["results"][task.spec.id]
    shared.done += 1
    mark_thread(result)
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
    knobs = list_knobs(choose_solver(task.spec, settings), settings)
    easy = any(choose_seat(piece.spec, settings) == "easy" for piece in by_part(first))
    return key_of(asked, settings, stage_of(task, settings).prompt(settings).label, knobs, easy=easy)


def _from_cache(task: ThreadTask, key: str, found: Kept) -> dict[str, Any]:
    known = {**found.model_dump(), "started_s": round(task.run.elapsed(), 3), "cached": True, "cache_key": key}
    told = {"id": task.spec.id, "subquestion": task.spec.subquestion, "needs": task.spec.needs}
    return {"results": {task.spec.id: ThreadResult(**told, status="answered", **known)}}


async def _ask(task: ThreadTask, place: Place) -> dict[str, Any]:
    """Ask the model when the thread's turn comes, within its time limit."""
    queued_at = task.run.elapsed()
    tell_thread(place.runtime, task, place.shared, "queued")
    async with place.shared.turns:
        outcomes, works = await _work(task, place)
    ended = task.run.elapsed()
    calls = [call for work in works for call in work.calls]
    started = calls[0].started_s if calls else ended
    if calls:
        calls[0].queued_s = max(0.0, started - queued_at)
    result = thread_result(task, place.settings, calls, outcomes).model_copy(
        update={
            "queued_s": round(max(0.0, started - queued_at), 3),
            "started_s": round(started, 3),
            "latency_s": round(ended - started, 3),
            "solver": choose_solver(task.spec, place.settings),
            "solving": [work.solving for work in works if work.solving],
        }
    )
    if result.status == "answered":
        place.shared.stragglers.finish(ended - started)
        if place.settings.review == "careful":
            result, checks = await _check(task, result, place)
            calls = [*calls, *checks]
    return {"results": {task.spec.id: result}, "calls": calls}


async def _check(task: ThreadTask, result: ThreadResult, place: Place) -> tuple[ThreadResult, list[Call]]:
    """Have a result checked; returns it with what was found wrong, and every request made."""
    check = Check(task, place.settings, _budget(task, place))
    try:
        result = await check.run(result)
    except asyncio.CancelledError:
        if not place.entry.stopped:
            raise
    return result, check.calls


def _share(task: ThreadTask, settings: Settings, slots: int | None) -> FanOut:
    """Make what the threads of this round share."""
    return FanOut(
        min(task.degree, slots or task.degree),
        open_ledger(settings, task.run, task.spent, keep_review=True, threads=task.planned - task.settled),
        Stragglers(
            # A tool may do something that must not be done twice.
            None if uses_tools(settings) else settings.hedge,
            threads=task.planned - task.settled,
            left=max(1, task.planned // THREADS_A_HEDGE) - len(task.hedged),
        ),
    )


async def _work(task: ThreadTask, place: Place) -> tuple[list[Reply | ModelError], list[Work]]:
    """Work out each part of the thread in turn, until one has no whole reply; return what came, and how."""
    outcomes: list[Reply | ModelError] = []
    works: list[Work] = []
    for piece in by_part(task):
        done = [call for work in works for call in work.calls if call.status == "ok"]
        work = Work(
            piece,
            place.settings,
            _budget(task, place),
            seconds=place.settings.thread_timeout - sum_covered((call.started_s, call.latency_s) for call in done),
            step=works[-1].step + 1 if works else 0,
            on_start=lambda: tell_thread(place.runtime, task, place.shared, "running"),
        )
        works.append(work)
        outcomes.append(await find_outcome(work, _start(work, place), place.entry))
        if read_outcome(outcomes[-1])[1]:
            break
    return outcomes, works


def _start(work: Work, place: Place) -> Coroutine[Any, Any, Reply]:
    """Have a question worked out by the solver that it wants."""
    solver = choose_solver(work.task.spec, work.settings)
    return chain(work, place.shared.stragglers) if solver == "chain" else solve_by(solver, work)


def _budget(task: ThreadTask, place: Place) -> Budget:
    return Budget(latest(place.settings, task.run, "solve"), place.shared.ledger)
