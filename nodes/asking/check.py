"""Check: a result's question is asked anew without the result, as its thread ends, while its siblings still work.

A small model confirms the result that it is shown. That what is to be verified is left out of the question is from S.
Dhuliawala et al., "Chain-of-Verification Reduces Hallucination in Large Language Models", 2023; that answers outweigh
one that differs, from X. Wang et al., "Self-Consistency Improves Chain of Thought Reasoning", ICLR 2023.
"""

import asyncio
import logging
from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from nodes.asking.outcome import read_outcome
from nodes.asking.thread import KNOWN, by_part, messages
from nodes.judging.agreement import agree
from nodes.llm.caller import Caller
from nodes.llm.endpoints.usage import Call
from nodes.llm.limits.budget import Budget
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.text import short_result
from nodes.settings import Settings
from nodes.shared.cleaning import one_line, words_and_figures
from nodes.stage import Stage
from nodes.state import ThreadTask
from nodes.threads.results import ThreadResult
from prompts import PROMPTS

CHECK = Stage("review", PROMPTS["check"].check(KNOWN), "solve")
WORKED = Stage("review", PROMPTS["anew"].check(KNOWN), "solve")
MAX_SHOWN_CHARACTERS = 200
"""Characters of a subquestion, and of another answer to it, that a thread is told of."""

_log = logging.getLogger(__name__)


class Check:
    """The check of one thread's result.

    Args:
        task: The thread's task.
        settings: The run's settings.
        budget: What the check may use.
    """

    def __init__(self, task: ThreadTask, settings: Settings, budget: Budget) -> None:
        self._task, self._settings, self._budget = task, settings, budget
        self._callers: list[Caller] = []

    @property
    def calls(self) -> list[Call]:
        """Every request made so far."""
        return [call for caller in self._callers for call in caller.calls]

    async def run(self, result: ThreadResult) -> ThreadResult:
        """Return the result with what speaks against it; what cannot be answered anew stays unchecked.

        Args:
            result: What the thread came to.
        """
        before = self._task.previous
        if before and agree(before.answer, result.answer):
            return result  # It was told of the other answers and stays with its own.
        # What the reviewer said would tell the result.
        anew = self._task.model_copy(update={"critique": "", "previous": None})
        pairs = zip(by_part(anew), result.answers or [result.answer], strict=True)
        said = await asyncio.gather(*(self._doubt(piece, answer) for piece, answer in pairs))
        doubts = [doubt for doubt in said if doubt is not None]
        return result.model_copy(update={"checked": len(doubts) == len(said), "fault": "\n".join(filter(None, doubts))})

    async def _doubt(self, task: ThreadTask, answer: str) -> str | None:
        """Say what speaks against an answer: two others that agree with each other, and not with it.

        Returns:
            Nothing where it agrees with one of them, or each says something else; `None` where none can be had.
        """
        briefly = await self._ask(task, CHECK)
        if not words_and_figures(briefly):
            return None
        if agree(briefly, answer):
            return ""
        worked = await self._ask(task, WORKED, step=1)
        if agree(worked, answer) or not agree(worked, briefly):
            return ""
        several = len(self._task.spec.parts) > 1
        subject = f"“{one_line(task.spec.subquestion, MAX_SHOWN_CHARACTERS)}”" if several else "it"
        return f"Asked twice more, {subject} came to: {one_line(worked, MAX_SHOWN_CHARACTERS)}"

    async def _ask(self, task: ThreadTask, stage: Stage, step: int = 0) -> str:
        about = stage.task(self._settings, task.run, self._budget, thread=task.spec, round=task.round, step=step)
        caller = Caller(self._settings, about)
        self._callers.append(caller)
        return short_result(await ask_whole(caller, messages(task, self._settings, stage)))


async def ask_whole(caller: Caller, asked: Sequence[BaseMessage]) -> str:
    """Return the text of a reply; nothing where the call fails, or the reply is not whole."""
    try:
        reply = await caller.text(asked)
    except ModelError as error:
        _log.info("a result is not checked: %s", error)
        return ""
    return "" if read_outcome(reply)[1] else reply.text
