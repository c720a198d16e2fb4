"""A conversation with the workflow: messages in and out, the answer word by word.

What takes part in conversations can take this graph: chat pages, agents that have others (A2A), supervisors and agents
with sub-agents. A turn costs what the same question costs `graph`.
"""

from typing import Any

from langgraph.graph import END, START, MessagesState, StateGraph

from graphs.bindable import Conversation, know_our_types
from graphs.streams.turn import Chat, adaptive
from nodes.boundary.node import bound_node
from nodes.conversation.listen import listen
from nodes.settings import Settings


def build_chat(**compile_options: Any) -> Any:
    """Compile the conversation.

    Args:
        compile_options: What LangGraph's `compile` takes, such as `checkpointer=`, with which it remembers what was
            said before; without one, hand over all messages.
    """
    builder = StateGraph(Chat, context_schema=Settings, input_schema=MessagesState, output_schema=MessagesState)
    builder.add_node("listen", listen)
    builder.add_node("adaptive", bound_node(adaptive))
    builder.add_edge(START, "listen")
    builder.add_edge("listen", "adaptive")
    builder.add_edge("adaptive", END)
    return Conversation.of(builder.compile(name="chat", **know_our_types(compile_options)))


chat = build_chat()
