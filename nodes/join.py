"""Join: write the one answer from the results, where nothing judges them."""

from collections.abc import Sequence
from typing import Any

from nodes.asking.join import JOIN, messages
from nodes.conclude import conclude, put_together
from nodes.llm.replies.errors import ModelError
from nodes.settings import Settings
from nodes.state import State
from nodes.threads.results import ThreadResult


async def join(
    state: State, settings: Settings, answered: Sequence[ThreadResult], broken: Sequence[ThreadResult]
) -> dict[str, Any]:
    """Ask for the answer and end the run with it."""
    caller = JOIN.caller(settings, state.run, state.calls, round=state.round)
    try:
        reply = await caller.text(messages(state, settings, answered, broken))
        answer, shortfall = reply.text, reply.shortfall
    except ModelError as error:
        answer = put_together(answered)
        shortfall = f"the results stand side by side, since joining them failed: {error}"
    return conclude(state, settings, answer=answer, calls=caller.calls, shortfall=shortfall)
