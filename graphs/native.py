"""Native trajectories: a trained model opens threads by itself; each is a continuation of its own, and joins in."""

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from graphs.bindable import Bindable, know_our_types
from nodes.boundary.choice import settings_for_routing
from nodes.boundary.node import bound_node
from nodes.native.state import BranchTask, NativeState, tasks_of_block
from nodes.settings import Settings
from nodes.state import Problem, Solution
from nodes.trajectory.compare_pass import compare_pass
from nodes.trajectory.continue_trajectory import continue_trajectory
from nodes.trajectory.join_branches import join_branches
from nodes.trajectory.open_trajectory import open_trajectory
from nodes.trajectory.pass_once import pass_once
from nodes.trajectory.write_branch import write_branch


def after_continue(
    state: NativeState,
) -> list[Send] | Literal["continue_trajectory", "pass_once", "compare_pass", "__end__"]:
    """Fan out over the outlines that were just written; else end, or answer in one pass."""
    if state.outcome != "running":
        return after_answer(state)
    if state.abandoned:
        return "pass_once"
    tasks = tasks_of_block(state, settings_for_routing(state.run))
    return [Send("write_branch", task) for task in tasks] or "continue_trajectory"


def after_answer(state: NativeState) -> Literal["compare_pass", "__end__"]:
    """Measure the baseline where it was asked for and there is an answer to compare with."""
    wanted = state.outcome != "failed" and settings_for_routing(state.run).baseline
    return "compare_pass" if wanted else "__end__"


def build_native(**compile_options: Any) -> Any:
    """Compile the graph for models that write parallel trajectories.

    Args:
        compile_options: What LangGraph's `compile` takes, such as `checkpointer=`.
    """
    builder = StateGraph(NativeState, context_schema=Settings, input_schema=Problem, output_schema=Solution)
    builder.add_node("open_trajectory", bound_node(open_trajectory), input_schema=Problem)
    builder.add_node("continue_trajectory", bound_node(continue_trajectory))
    builder.add_node("write_branch", bound_node(write_branch), input_schema=BranchTask)
    builder.add_node("join_branches", bound_node(join_branches))
    builder.add_node("pass_once", bound_node(pass_once))
    builder.add_node("compare_pass", bound_node(compare_pass))
    builder.add_edge(START, "open_trajectory")
    builder.add_edge("open_trajectory", "continue_trajectory")
    builder.add_conditional_edges(
        "continue_trajectory",
        after_continue,
        ["write_branch", "continue_trajectory", "pass_once", "compare_pass", END],
    )
    builder.add_edge("write_branch", "join_branches")
    builder.add_edge("join_branches", "continue_trajectory")
    builder.add_conditional_edges("pass_once", after_answer, ["compare_pass", END])
    builder.add_edge("compare_pass", END)
    return Bindable.of(builder.compile(name="native", **know_our_types(compile_options, NativeState, BranchTask)))


native = build_native()
