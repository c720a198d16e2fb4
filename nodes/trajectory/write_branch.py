"""Write branch: one thread of a native trajectory. Whatever befalls it costs only itself."""

import logging
from typing import Any

from langgraph.runtime import Runtime

from nodes.asking.outcome import thread_result
from nodes.boundary.progress import tell_result, tell_thread
from nodes.boundary.stopped import stop_result
from nodes.llm.group import known_group
from nodes.llm.limits.budget import latest, open_ledger
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.reply import Reply
from nodes.native.asking import prepare_branch
from nodes.native.grammar import GRAMMARS
from nodes.native.state import BranchTask
from nodes.reporting.tracing import mark_thread, name_thread
from nodes.settings import Settings, settings_of
from nodes.shared.masking import mask_text, trace_of
from nodes.threads.fan_out import FanOut, fan_out
from nodes.threads.stopping import at_work
from nodes.threads.stragglers import Stragglers

_log = logging.getLogger(__name__)


async def write_branch(state: BranchTask, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Write one thread when its turn comes, within its time limit."""
    task, settings = state, settings_of(runtime)
    name_thread("write_branch", task.spec.id, task.round)
    servers = await known_group(settings, "solve", until=latest(settings, task.run, "solve"))
    degree = min(task.degree, servers.slots) if servers and servers.slots else task.degree
    shared = fan_out(task.run.id, task.round, lambda: _share(task, settings, degree))
    shared.ledger.enter()
    with at_work(task.run, task.spec.id) as entry:
        update = await entry.finish(_write(task, settings, shared, runtime))
    update = update or {"results": {}, "calls": []}
    if entry.stopped:
        update["results"] = {task.spec.id: stop_result(task, update["results"].get(task.spec.id), entry)}
    shared.done += 1
    mark_thread(update["results"][task.spec.id])
    tell_result(runtime, task, shared, update["results"][task.spec.id])
    return update


def _share(task: BranchTask, settings: Settings, degree: int) -> FanOut:
    none_late = Stragglers(None, threads=0, left=0)
    ledger = open_ledger(settings, task.run, task.spent, threads=task.planned - task.settled)
    return FanOut(degree, ledger, none_late)


async def _write(task: BranchTask, settings: Settings, shared: FanOut, runtime: Runtime[Settings]) -> dict[str, Any]:
    queued_at = task.run.elapsed()
    tell_thread(runtime, task, shared, "queued")
    caller = prepare_branch(settings, task, shared.ledger, lambda: tell_thread(runtime, task, shared, "running"))
    end = GRAMMARS[settings.grammar].thread_end
    outcome: Reply | ModelError
    async with shared.turns:
        try:
            outcome = _finish(await caller.continue_text(task.text, stop=[end]), end)
        except ModelError as error:
            outcome = error
        except Exception as error:  # a fault of ours must not sink the siblings either
            _log.error("thread %s broke:\n%s", task.spec.id, trace_of(error))
            outcome = ModelError("bad_reply", mask_text(f"{type(error).__name__}: {error}"))
    ended, calls = task.run.elapsed(), caller.calls
    started = calls[0].started_s if calls else ended
    # Nothing that it writes hands parts on: the model knows of no such thing.
    result = thread_result(task, settings.model_copy(update={"max_depth": 0}), calls, [outcome])
    times = {"queued_s": started - queued_at, "started_s": started, "latency_s": ended - started}
    if calls:
        calls[0].queued_s = max(0.0, times["queued_s"])
    answer = result.text.strip() if result.status == "answered" else ""
    changes = {"answer": answer} | {name: round(max(0.0, seconds), 3) for name, seconds in times.items()}
    return {"results": {task.spec.id: result.model_copy(update=changes)}, "calls": calls}


def _finish(reply: Reply, end: str) -> Reply:
    """Return the reply without the words that end a thread, which some servers leave in.

    Raises:
        ModelError: The thread is empty.
    """
    text = reply.text.removesuffix(end)
    if not text.strip() and reply.state == "whole":
        raise ModelError("empty", "the model wrote nothing in it")
    return reply._replace(text=text)
