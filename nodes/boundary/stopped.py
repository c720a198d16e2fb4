"""What a thread comes to that was stopped while it was at work, and when the answers of others suffice."""

from nodes.boundary.needs import lack
from nodes.settings import Settings
from nodes.state import ThreadTask
from nodes.threads.board import Board
from nodes.threads.enough import find_enough
from nodes.threads.results import ThreadResult, keep_earlier
from nodes.threads.stopping import StoppedBy, stop_others


def stop_result(task: ThreadTask, came: ThreadResult | None, by: StoppedBy) -> ThreadResult:
    """Return the result of a thread that was stopped: it failed, and what was written by then is its text.

    Args:
        task: The thread.
        came: What it came to all the same; nothing if it had not been asked.
        by: Who stopped it, and why.
    """
    before, result = task.previous, came or lack(task, by.why)
    if before and before.answer:
        result = came or keep_earlier(before, by.why, rounds=result.rounds)
    else:
        failed = {"status": "failed", "answer": "", "answers": [], "fault": "", "error": by.why}
        result = result.model_copy(update=failed)
    return result.model_copy(update={"stopped": by.stopped})


def stop_if_enough(task: ThreadTask, result: ThreadResult, settings: Settings, board: Board) -> None:
    """Stop the other threads of a round where this result is all that was wanted (`stop_when`).

    A result that others wait for is a step on the way to an answer, and no answer itself.
    """
    if why := is_enough(task, result, settings, board):
        stop_others(task.run.id, why, but=task.spec.id)


def is_enough(task: ThreadTask, result: ThreadResult, settings: Settings, board: Board) -> str:
    """Note an answer, and say why no more of them are needed; empty while they are, and where that is known already."""
    if not result.sound or task.needed or board.enough:
        return ""
    board.answers.append(result.answer)
    board.enough = find_enough(settings.stop_when, board.answers, task.planned)
    return board.enough
