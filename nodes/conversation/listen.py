"""Listen: read the question out of a conversation, with its files and what was said before."""

from typing import Any

from langgraph.graph import MessagesState

from nodes.conversation.turns import read_conversation


def listen(state: MessagesState) -> dict[str, Any]:
    """Make a problem of the messages so far."""
    return {"problem": read_conversation(state["messages"])}
