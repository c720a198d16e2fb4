"""Asking the checker that a task brings, such as a program that tries a result out: failures of it are no verdicts."""

import asyncio
import inspect
import logging
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from langgraph.config import get_config

from nodes.llm.limits.time_limit import TimeLimit
from nodes.shared.masking import mask_text

CHECKER = "__apr_checker"
"""Where a compiled graph's configuration holds the checker that it was built with."""
Checker = Callable[[str, str], Any]
"""Is given a subquestion and a result, and tells how good that is: see `check_result`."""
MAX_MESSAGE_CHARACTERS = 2_000
"""Characters of a checker's message that are shown to the model."""

_log = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """What a checker said."""

    score: float
    """0 to 1; 1 is right."""
    message: str = ""


def find_checker() -> Checker | None:
    """Return the checker of the graph that runs, if it brings one."""
    found: Checker | None = get_config().get("configurable", {}).get(CHECKER)
    return found


async def check_result(
    checker: Checker | None, subquestion: str, result: str, *, seconds: float, latest: float
) -> Verdict | None:
    """Have a result judged by the task's own checker; `None` where there is none, or where it gave no verdict.

    A checker is any callable `(subquestion, result)`, synchronous or not, that returns a score from 0 to 1, a truth
    value, or a pair of either and a message. Synchronous ones work in a thread of their own.

    Args:
        checker: The checker.
        subquestion: What was asked.
        result: What is judged.
        seconds: How long it may take.
        latest: When it must have ended, in seconds since the epoch.
    """
    if checker is None:
        return None
    try:
        async with TimeLimit(seconds, latest):
            said = await asyncio.to_thread(checker, subquestion, result)
            if inspect.isawaitable(said):
                said = await said
        return _read(said)
    except Exception as error:
        _log.warning("the checker gave no verdict: %s", mask_text(f"{type(error).__name__}: {error}"))
        return None


def _read(said: Any) -> Verdict:
    score, message = said if isinstance(said, tuple) else (said, "")
    number = float(score)
    if math.isnan(number):
        raise ValueError("the checker's score is no number")
    return Verdict(min(1.0, max(0.0, number)), str(message)[:MAX_MESSAGE_CHARACTERS])
