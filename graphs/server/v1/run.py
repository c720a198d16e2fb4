"""A run for a request: what its client reads as it goes on, and its end when the client goes away."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from graphs.adaptive import graph
from graphs.page.wording import STAGES, words
from graphs.sequential import sequential
from graphs.server.v1.asked import Asked
from graphs.streams.answer import ANSWER_MODES, AnswerPiece, AnswerReset, AnswerStream
from nodes.conversation.reply import text_of
from nodes.shared.cleaning import one_line
from nodes.state import Solution

MAX_SUBQUESTION_CHARACTERS = 120
"""Characters of a thread's subquestion in a line of progress."""


@dataclass(frozen=True)
class Progress:
    """A line on how the run goes."""

    text: str


@dataclass(frozen=True)
class Text:
    """More of the answer."""

    text: str


Event = Progress | Text | Solution


class Steady:
    """The answer for a client that cannot take back what it was sent.

    Where an answer that is written anew begins as the one before, no more is said; else the withdrawal is a line of the
    text, and the whole answer follows it.
    """

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self._sent = self._text = self._why = ""

    def take(self, change: AnswerPiece | AnswerReset) -> str:
        """Return what is to be sent, now that the answer has changed."""
        if isinstance(change, AnswerReset):
            self._text, self._why = "", change.why
            return ""
        self._text += change.text
        # It may come to be the same again.
        return "" if self._sent.startswith(self._text) else self.end(self._text)

    def end(self, text: str) -> str:
        """Return what is to be sent so that the whole text was."""
        withdrawn = not text.startswith(self._sent)
        more = f"\n\n[withdrawn: {self._why}]\n\n{text}" if withdrawn else text[len(self._sent) :]
        self._sent = text
        return more


async def follow(asked: Asked) -> AsyncGenerator[Event, None]:
    """Run what a request asks, and tell how it goes; the last event is the solution.

    Raises:
        nodes.llm.replies.errors.ConfigurationError: A key or an extra is missing.
        nodes.boundary.node.NodeError: The run broke.
    """
    runs = sequential if asked.model == "sequential" else graph
    # Where nobody watches the answer grow, replies come whole.
    modes = list(ANSWER_MODES) if asked.stream else ["custom", "values"]
    answer, steady, values = AnswerStream(patient=runs is graph), Steady(), {}
    run = runs.astream(asked.problem.model_dump(), context=asked.settings, stream_mode=modes)
    async with aclosing(run) as events:
        async for mode, event in events:
            if mode == "custom" and (line := _line(event)):
                yield Progress(line)
            elif mode == "values":
                values = event
            for change in answer.take(mode, event) if asked.stream else ():
                if more := steady.take(change):
                    yield Text(more)
    solution = Solution.model_validate(values)
    if solution.outcome != "failed" and (more := steady.end(text_of(solution))):
        yield Text(more)
    yield solution


def _line(event: Mapping[str, Any]) -> str:
    """Write what the run told as a line; empty for what is no news."""
    if "thread_id" not in event:
        why = f", since {event['why']}" if event.get("why") else ""
        return f"{STAGES.get(event.get('stage', ''), '')}{why}"
    if event["status"] == "queued":
        return ""
    asked = one_line(event["subquestion"], MAX_SUBQUESTION_CHARACTERS)
    return f"{event['thread_id']} {words(event['status'], event.get('stopped', ''))}: {asked}"


@asynccontextmanager
async def running(source: AsyncGenerator[Event, None]) -> AsyncIterator["asyncio.Queue[Event | BaseException | None]"]:
    """Let a run go on in a task of its own, which ends with this context, and with it the run.

    A server that loses its client cancels again and again, in which a run would leave tasks behind; the task is
    cancelled once.

    Yields:
        The queue of its events; `None`, or the error that broke it, comes last.
    """
    queue: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()

    async def work() -> None:
        try:
            async with aclosing(source) as events:
                async for event in events:
                    queue.put_nowait(event)
            queue.put_nowait(None)
        except Exception as error:
            queue.put_nowait(error)

    task = asyncio.create_task(work())
    try:
        yield queue
    finally:
        task.cancel()
        ended = asyncio.gather(task, return_exceptions=True)
        while not ended.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ended)
