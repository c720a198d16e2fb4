"""What a thread waits for before it is asked anything: the results of other threads of its round."""

import math
from collections.abc import Mapping

from nodes.boundary.earlier import read_earlier_results
from nodes.llm.endpoints.usage import Usage
from nodes.llm.limits.time_limit import TimeLimit
from nodes.state import ThreadTask
from nodes.threads.board import Board
from nodes.threads.results import ThreadResult


async def take_needs(task: ThreadTask, board: Board, *, until: float) -> tuple[ThreadTask, str]:
    """Wait for the results that a thread builds on.

    Args:
        task: The thread.
        board: Where those of its round leave their results.
        until: When it must have them, in seconds since the epoch.

    Returns:
        The thread with these results and no others, and which of them are not to be had; nothing if all are there.
    """
    given = {result.id: result for result in task.given}
    awaited = [id for id in task.awaited if board.expects(id)]
    if len(awaited) < len(task.awaited):
        # Those that ended before the run was stopped do not run again.
        earlier = await read_earlier_results()
        given |= {id: result for id, result in earlier.items() if id in task.awaited}
        awaited = [id for id in task.awaited if id not in earlier]
    try:
        async with TimeLimit(math.inf, until):
            for id in awaited:
                given[id] = await board.wait_for(id)
    except TimeoutError:
        return task, f"the results that it needs ({', '.join(awaited)}) did not come in time"
    return build_on(task, given)


def build_on(task: ThreadTask, given: Mapping[str, ThreadResult]) -> tuple[ThreadTask, str]:
    """Return a thread with the results that it builds on, and which of them are not to be had, as `take_needs` does."""
    missing = [id for id in task.spec.needs if id not in given or given[id].status != "answered"]
    if missing:
        return task, f"it needs the result of {', '.join(missing)}, which is missing"
    return task.model_copy(update={"given": [given[id] for id in task.spec.needs]}), ""


def lack(task: ThreadTask, why: str) -> ThreadResult:
    """Return the result of a thread that lacks what it builds on: it failed, and nothing was asked."""
    before = task.previous
    return ThreadResult(
        id=task.spec.id,
        subquestion=task.spec.subquestion,
        needs=task.spec.needs,
        status="failed",
        error=why,
        attempts=before.attempts if before else 0,
        rounds=before.rounds + 1 if before else 1,
        usage=before.usage if before else Usage(),
        started_s=round(task.run.elapsed(), 3),
    )


def is_settled(task: ThreadTask, sent: ThreadTask) -> bool:
    """Tell whether a thread runs again only because others do, and those came to the same as before.

    Args:
        task: The thread with what it was given now.
        sent: The thread with what it had been given.
    """
    if task.previous is None or task.previous.status != "answered" or task.critique or not task.awaited:
        return False
    return [result.answer for result in task.given] == [result.answer for result in sent.given]
