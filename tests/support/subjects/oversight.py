"""A run that waits for a person, and what it asks."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs import build_graph

PARTS = ["What is one?", "What is two?", "What is three?"]
QUESTION = {"question": " ".join(PARTS)}
CONFIG: Any = {"configurable": {"thread_id": "1"}}


class Overseen:
    """A run that waits for a person."""

    def __init__(self, context: dict[str, Any], oversight: str) -> None:
        self.graph = build_graph(checkpointer=InMemorySaver())
        self.context = {**context, "oversight": oversight}

    async def start(self) -> Any:
        return await self.graph.ainvoke(QUESTION, CONFIG, context=self.context)

    async def reply(self, **said: Any) -> Any:
        return await self.graph.ainvoke(Command(resume=said), CONFIG, context=self.context)


def asked(values: Any) -> Any:
    (waiting,) = values["__interrupt__"]
    return waiting.value
