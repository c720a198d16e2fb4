"""The baseline: the same question in one reasoning call, with the same output fields."""

from typing import Any

from langgraph.graph import END, START, StateGraph

from graphs.bindable import Bindable, know_our_types
from nodes.boundary.node import bound_node
from nodes.direct import ask_once
from nodes.settings import Settings
from nodes.start import start
from nodes.state import Problem, Solution, State


def build_sequential(**compile_options: Any) -> Any:
    """Compile the baseline.

    Args:
        compile_options: What LangGraph's `compile` takes, such as `checkpointer=`.
    """
    builder = StateGraph(State, context_schema=Settings, input_schema=Problem, output_schema=Solution)
    builder.add_node("start", bound_node(start), input_schema=Problem)
    builder.add_node("direct", bound_node(ask_once))
    builder.add_edge(START, "start")
    builder.add_edge("start", "direct")
    builder.add_edge("direct", END)
    return Bindable.of(builder.compile(name="sequential", **know_our_types(compile_options)))


sequential = build_sequential()
