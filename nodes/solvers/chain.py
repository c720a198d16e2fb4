"""One chain of thought: the question in one call, and in a second copy of it should the thread be late."""

from collections.abc import Coroutine
from typing import Any

from nodes.asking.ahead import take_thread
from nodes.asking.thread import asked_the_same_before, messages, stage_of
from nodes.llm.replies.reply import Reply
from nodes.solvers.work import Work
from nodes.threads.stragglers import Stragglers, race


async def chain(work: Work, stragglers: Stragglers) -> Reply:
    """Ask once, or take over the call that began early.

    Args:
        work: The question.
        stragglers: Tells when the thread is late.

    Raises:
        ModelError: No usable reply came.
    """
    stage, asked = stage_of(work.task, work.settings), messages(work.task, work.settings)
    begun = take_thread(work.task, asked)
    if begun:
        work.callers.append(begun.caller)
        begun.tell_start(work.begin)
    first = begun.caller if begun else work.caller(stage, varied=asked_the_same_before(work.task))

    def ask() -> Coroutine[Any, Any, Reply]:
        return begun.land() if begun else first.text(asked)

    def copy() -> Coroutine[Any, Any, Reply]:
        left = work.seconds - (work.task.run.elapsed() - first.calls[0].started_s)
        return work.caller(stage, hedge=True, varied=True, time_limit=left).text(asked)

    if not stragglers.on or work.task.spec.id in work.task.hedged:
        return await ask()
    try:
        return await race(ask(), copy, stragglers.late(work.started))
    finally:
        work.charge_cancelled()
