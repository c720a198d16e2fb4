"""One node of the workflow on its own, as a worker runs it."""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache
from typing import Any

from langgraph._internal._runnable import RunnableCallable
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from graphs.adaptive import lay_out
from nodes.boundary.node import Node, bound_node
from nodes.boundary.stored_types import DeclaredTypes
from nodes.input.segments import Segment
from nodes.settings import Settings
from nodes.state import Problem, State, ThreadTask

STAGES: dict[str, Node] = {}
"""The workflow's nodes by name."""


def _note(node: Node) -> Any:
    STAGES[node.__name__] = node
    return bound_node(node)


lay_out(_note)


class Alone(State):
    """What a graph of one node keeps."""

    given: Any = None
    """What the node is given."""


def read_input(stage: str, values: dict[str, Any], segments: Mapping[int, Segment]) -> Any:
    """Read what a node is given.

    Args:
        stage: The node.
        values: Its input.
        segments: For a thread, all of the problem's, by number; it gets its own.
    """
    if stage == "assess":
        return Problem.model_validate(values)
    if stage != "solve":
        return State.model_validate(values)
    task = ThreadTask.model_validate(values)
    own = [segments[number] for number in task.spec.sources if number in segments]
    return task.model_copy(update={"segments": own})


def _graph_of(stage: str) -> Any:
    """Compile the graph of a node; one that asks a person keeps what it needs in between."""
    if not stage.startswith("approve"):
        return _compile(stage)
    return _layout_of(stage).compile(checkpointer=InMemorySaver(serde=DeclaredTypes()), name=stage)


@lru_cache(maxsize=64)
def _compile(stage: str) -> Any:
    return _layout_of(stage).compile(name=stage)


@lru_cache(maxsize=64)
def _layout_of(stage: str) -> Any:
    node = bound_node(STAGES[stage])

    async def ask(state: Alone, runtime: Runtime[Settings]) -> Any:
        return await node.ainvoke(state.given, runtime=runtime)

    builder: Any = StateGraph(Alone, context_schema=Settings)
    builder.add_node(stage, RunnableCallable(None, ask, name=stage, trace=False))
    builder.add_edge(START, stage)
    return builder


async def run_stage(
    stage: str,
    given: Any,
    settings: Settings,
    *,
    thread: str,
    replies: list[Any],
    configurable: Mapping[str, Any],
    hear: Callable[[str, Any], None],
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Run one node.

    Args:
        stage: Which.
        given: Its input.
        settings: The run's settings.
        thread: The run's id.
        replies: What a person has said to what it asks, in turn.
        configurable: Tools, models and what else the worker brings.
        hear: Is told of what it streams: the mode, and what came.

    Returns:
        What the node returned, and what it asks a person; one of the two.
    """
    graph = _graph_of(stage)
    config: Any = {"configurable": {**configurable, "thread_id": thread}}
    update: dict[str, Any] | None = None
    asks: dict[str, Any] | None = None
    steps: list[Any] = [{"question": "-", "given": given}, *(Command(resume=reply) for reply in replies)]
    for step in steps:
        asks = None
        async for mode, event in _stream(graph, step, config, settings):
            if mode != "updates":
                hear(mode, event)
            elif "__interrupt__" in event:
                asks = event["__interrupt__"][0].value
            else:
                update = event[stage] or {}
        if asks is None:
            break
    return update, asks


async def _stream(graph: Any, step: Any, config: Any, settings: Settings) -> AsyncIterator[tuple[str, Any]]:
    modes = ["updates", "custom", "messages"]
    async for mode, event in graph.astream(step, config, context=settings, stream_mode=modes):
        yield mode, event
