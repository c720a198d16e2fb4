"""Check: one result in a short call of its own, as its thread ends, while its siblings still work."""

import asyncio
import logging

from langchain_core.messages import BaseMessage

from nodes.asking.results import MAX_RESULT_CHARACTERS
from nodes.input.excerpts import json_line
from nodes.judging.arithmetic import evidence
from nodes.judging.verdicts import ReviewOfOne, judge
from nodes.llm.caller import Caller
from nodes.llm.limits.budget import Budget
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.text import shorten
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import ThreadTask
from nodes.threads.results import ThreadResult
from prompts import PROMPTS, block

CHECK = Stage("review", PROMPTS["check"].check({"evidence", "result"}, ReviewOfOne), "solve")

_log = logging.getLogger(__name__)


def checker(task: ThreadTask, settings: Settings, budget: Budget) -> Caller:
    """Return who asks about the result of a thread; `budget` is what that may use."""
    return Caller(settings, CHECK.task(settings, task.run, budget, thread=task.spec, round=task.round))


async def check(task: ThreadTask, result: ThreadResult, settings: Settings, caller: Caller) -> ThreadResult:
    """Ask what is wrong with one result, and return it with that; a check that fails leaves it unchecked.

    Args:
        task: The thread's task.
        result: What it came to.
        settings: The run's settings.
        caller: Who asks; see `checker`.
    """
    try:
        asked = await asyncio.to_thread(messages, task, result, settings)
        written = await caller.structured(asked, ReviewOfOne)
    except ModelError as error:
        _log.info("the result of %s stays unchecked: %s", result.id, error)
        return result
    fault = judge(written, [result]).critiques.get(result.id, "")
    return result.model_copy(update={"checked": True, "fault": fault})


def messages(task: ThreadTask, result: ThreadResult, settings: Settings) -> list[BaseMessage]:
    """Ask for what is wrong with one result."""
    given = "\n".join([task.instructions, task.shared_context, *(segment.text for segment in task.segments)])
    found = evidence([(result.id, result.text)], given)
    line = {"id": result.id, "asked": result.subquestion, "result": shorten(result.answer, MAX_RESULT_CHARACTERS)}
    return CHECK.prompt(settings).messages(
        result=json_line(line), evidence=block("Done again by a calculator", "\n".join(found))
    )
