"""The baseline: the same question in one reasoning call, with the same output fields."""

from typing import Any

from langgraph.graph import END, START, StateGraph

from graphs.bindable import bindable
from nodes.boundary.node import bounded
from nodes.boundary.stored_types import read_declared
from nodes.direct import direct
from nodes.reporting.tracing import mask_traces
from nodes.settings import Settings
from nodes.start import start
from nodes.state import Problem, Solution, State


def build_sequential(**compile_options: Any) -> Any:
    """Compile the baseline.

    Args:
        compile_options: What LangGraph's `compile` takes, such as `checkpointer=`.
    """
    builder = StateGraph(State, context_schema=Settings, input_schema=Problem, output_schema=Solution)
    builder.add_node("start", bounded(start), input_schema=Problem)
    builder.add_node("direct", bounded(direct))
    builder.add_edge(START, "start")
    builder.add_edge("start", "direct")
    builder.add_edge("direct", END)
    mask_traces()
    if "checkpointer" in compile_options:
        compile_options["checkpointer"] = read_declared(compile_options["checkpointer"])
    return bindable(builder.compile(name="sequential", **compile_options))


sequential = build_sequential()
