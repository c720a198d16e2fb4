"""One turn of a conversation: the workflow as a node, which says its answer as it grows."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, cast
from uuid import uuid4

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.config import get_config
from langgraph.graph import MessagesState
from langgraph.graph.message import push_message
from langgraph.pregel._messages import StreamMessagesHandler
from langgraph.runtime import Runtime

from graphs.adaptive import graph
from graphs.streams.answer import ANSWER_MODES, AnswerPiece, AnswerReset, read_answer
from nodes.conversation.reply import last_chunk, reply_of
from nodes.settings import Settings, settings_of
from nodes.state import Problem


class Chat(MessagesState, total=False):
    """What a conversation keeps."""

    problem: Problem
    """What the latest message asks."""
    solution: dict[str, Any]
    """What came of it: the fields of `nodes.state.Solution`, as JSON."""


async def adaptive(state: Chat, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Run the workflow, and say its answer as it grows."""
    id, shown = str(uuid4()), ""
    run = graph.astream(state["problem"].model_dump(), context=settings_of(runtime), stream_mode=list(ANSWER_MODES))
    async with aclosing(run) as events, aclosing(read_answer(_retell(events, runtime), patient=True)) as changes:
        async for change in changes:
            if isinstance(change, AnswerPiece):
                shown += change.text
                push_message(AIMessageChunk(content=change.text, id=id), state_key=None)
            elif isinstance(change, AnswerReset):
                # What is written anew is another message; the one that is withdrawn becomes none of the conversation.
                id, shown = str(uuid4()), ""
            else:
                solution = change
    reply = reply_of(solution, id)
    push_message(last_chunk(reply, shown), state_key=None)
    return {"messages": [reply], "solution": solution.model_dump(mode="json")}


async def _retell(events: AsyncGenerator[Any, None], runtime: Runtime[Settings]) -> AsyncIterator[Any]:
    """Run the workflow so that nobody who listens to the conversation hears its models, and tell of its threads.

    What models write to each other, such as an outline, is no message of the conversation.
    """
    heard = get_config()
    quiet = cast(BaseCallbackManager, heard["callbacks"]).copy()
    for name in ("handlers", "inheritable_handlers"):
        kept = [one for one in getattr(quiet, name) if not isinstance(one, StreamMessagesHandler)]
        setattr(quiet, name, kept)
    # The workflow takes what it finds here when it begins.
    token = var_child_runnable_config.set({**heard, "callbacks": quiet})
    try:
        event = await anext(events, None)
    finally:
        var_child_runnable_config.reset(token)
    while event is not None:
        if event[0] == "custom":
            runtime.stream_writer(event[1])
        yield event
        event = await anext(events, None)
