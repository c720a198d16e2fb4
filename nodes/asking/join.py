"""Join: have the one answer written from the results, where nothing judges them."""

from collections.abc import Sequence
from typing import NamedTuple

from langchain_core.messages import BaseMessage

from nodes.asking.results import as_lines, name_missing, open_parts, put_together
from nodes.llm.endpoints.usage import Call
from nodes.llm.replies.errors import ModelError
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import State
from nodes.threads.results import ThreadResult
from prompts import PROMPTS, block

JOIN = Stage("review", PROMPTS["join"].check({"instructions", "missing", "question", "results"}), "review")


class Joined(NamedTuple):
    """The answer of all results."""

    answer: str
    shortfall: str
    """Why it is less than it should be; empty where it is not."""
    calls: list[Call]


async def join(
    state: State, settings: Settings, answered: Sequence[ThreadResult], broken: Sequence[ThreadResult]
) -> Joined:
    """Ask for the answer; where none comes, the results stand side by side."""
    caller = JOIN.caller(settings, state.run, state.calls, round=state.round)
    try:
        reply = await caller.text(messages(state, settings, answered, broken))
    except ModelError as error:
        why = f"the results stand side by side, since joining them failed: {error}"
        return Joined(put_together(answered), why, caller.calls)
    return Joined(reply.text, reply.shortfall, caller.calls)


def messages(
    state: State, settings: Settings, answered: Sequence[ThreadResult], broken: Sequence[ThreadResult]
) -> list[BaseMessage]:
    """Ask for the answer from what is answered, and name what is missing."""
    return JOIN.prompt(settings).messages(
        question=state.question,
        instructions=block("Instructions", state.instructions),
        results=as_lines(answered),
        missing=open_parts(state) + name_missing(broken, to_run_again=False),
    )
