"""Running the workflow for a caller: told of every thread, and stopped with the caller's request."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from graphs.adaptive import graph
from nodes.boundary.access import for_request
from nodes.settings import Settings
from nodes.shared.cleaning import one_line
from nodes.state import Problem, Solution

MAX_PROGRESS_CHARACTERS = 100
"""Of a thread's question in a notice of progress."""

Tell = Callable[[int, str], Awaitable[None]]
"""Takes the number of the notice, from 1 on, and its words."""


async def solve_for(
    question: str,
    documents: Sequence[Any],
    instructions: str,
    chosen: Mapping[str, Any],
    tell: Tell,
) -> Solution:
    """Answer a caller's question.

    Args:
        question: What is asked.
        documents: Documents or their fields.
        instructions: What holds for every thread and for the answer.
        chosen: Settings that the caller chose, by name.
        tell: Is told of every thread that begins and ends.

    Raises:
        pydantic.ValidationError: A setting or the input is out of bounds.
        nodes.llm.replies.errors.ConfigurationError: A setting is not the caller's to choose, or a key is missing.
    """
    settings = for_request(Settings(**chosen))
    problem = Problem(question=question, documents=list(documents), instructions=instructions)
    # In a task of its own: the caller's scope cancels again and again until it has ended, and breaks up its cleaning.
    run = asyncio.create_task(_run(problem, settings, tell))
    try:
        return await asyncio.shield(run)
    except asyncio.CancelledError:
        run.cancel()
        while not run.done():
            try:
                await asyncio.shield(asyncio.wait([run]))
            except asyncio.CancelledError:
                continue
        raise


async def _run(problem: Problem, settings: Settings, tell: Tell) -> Solution:
    values: dict[str, Any] = {}
    told = 0
    stream = graph.astream(problem.model_dump(), context=settings, stream_mode=["custom", "values"])
    async with aclosing(stream) as events:
        async for mode, event in events:
            if mode == "values":
                values = event
            elif words := _words(event):
                told += 1
                await tell(told, words)
    return Solution.model_validate(values)


def _words(event: Mapping[str, Any]) -> str:
    """Say how a thread stands, or which stage begins; nothing of one that only waits."""
    if stage := event.get("stage"):
        return str(stage)
    if event.get("status") in (None, "queued"):
        return ""
    asked = one_line(event["subquestion"], MAX_PROGRESS_CHARACTERS)
    return f"{event['thread_id']} {event['status']} ({event['n_done']} of {event['n_total']} done): {asked}"
