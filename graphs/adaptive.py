"""The workflow: assess, split, solve side by side, review, answer once."""

from collections.abc import Callable
from typing import Any

from langgraph.graph import END, START, StateGraph

from graphs.bindable import Bindable, know_our_types
from graphs.routing import (
    after_answer,
    after_answer_approval,
    after_assess,
    after_decompose,
    after_plan_approval,
    after_refine,
    after_review,
    inline,
)
from nodes.approve import approve_answer, approve_plan
from nodes.assess import assess
from nodes.baseline import baseline
from nodes.boundary.node import Node, bound_node
from nodes.decompose import decompose
from nodes.direct import direct
from nodes.refine import refine
from nodes.review import review
from nodes.settings import Settings
from nodes.solve import solve
from nodes.state import Problem, Solution, State, ThreadTask

Layout = StateGraph[State, Settings, Problem, Solution]


def lay_out(node: Callable[[Node], Any] = bound_node) -> Layout:
    """Lay the workflow out: its nodes, and what comes after each.

    Args:
        node: Makes of a function what the graph calls in its place.
    """
    builder = StateGraph(State, context_schema=Settings, input_schema=Problem, output_schema=Solution)
    builder.add_node("assess", node(assess), input_schema=Problem)
    builder.add_node("direct", node(direct))
    builder.add_node("decompose", node(decompose))
    builder.add_node("approve_plan", node(approve_plan))
    builder.add_node("solve", node(solve), input_schema=ThreadTask)
    builder.add_node("review", node(review))
    builder.add_node("refine", node(refine))
    builder.add_node("approve_answer", node(approve_answer))
    builder.add_node("baseline", node(baseline))
    builder.add_edge(START, "assess")
    builder.add_conditional_edges("assess", inline(after_assess), ["decompose", "direct"])
    builder.add_conditional_edges("decompose", inline(after_decompose), ["solve", "approve_plan", "direct"])
    builder.add_conditional_edges("approve_plan", inline(after_plan_approval), ["solve", "decompose", "direct"])
    builder.add_edge("solve", "review")
    builder.add_conditional_edges(
        "review", inline(after_review), ["solve", "refine", "direct", "approve_answer", "baseline", END]
    )
    builder.add_conditional_edges("refine", inline(after_refine), ["solve", "direct"])
    builder.add_conditional_edges("direct", inline(after_answer), ["approve_answer", "baseline", END])
    builder.add_conditional_edges("approve_answer", inline(after_answer_approval), ["solve", "baseline", END])
    builder.add_edge("baseline", END)
    return builder


def compile_graph(**options: Any) -> Any:
    """Compile the workflow for this process.

    Args:
        options: What LangGraph's `compile` takes, such as `checkpointer=`.
    """
    return Bindable.of(lay_out().compile(name="adaptive", **know_our_types(options)))


graph = compile_graph()
