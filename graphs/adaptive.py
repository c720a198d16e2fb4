"""The workflow: assess, split, solve side by side, review, answer once."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.cache.base import BaseCache
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
from nodes.llm.endpoints.own import MODELS, know_models
from nodes.refine import refine
from nodes.reporting.tracing import mask_traces
from nodes.review import review
from nodes.settings import Settings
from nodes.solve import solve
from nodes.solvers.checking import CHECKER, Checker
from nodes.state import Problem, Solution, State, ThreadTask
from nodes.threads.cache import CACHE
from nodes.tools.toolbox import TOOLS, make_toolbox

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


def build_graph(
    *,
    cache: BaseCache[Any] | None = None,
    checker: Checker | None = None,
    engine: str | None = None,
    models: Mapping[str, BaseChatModel] | None = None,
    tools: Iterable[BaseTool | Callable[..., Any]] = (),
    **compile_options: Any,
) -> Any:
    """Compile the workflow.

    Args:
        cache: Where results of threads are kept for later runs, such as LangGraph's `SqliteCache`; the setting `cache`
            uses the user's own instead.
        checker: Judges results while a `tree` is searched (setting `solver`): a callable `(subquestion, result)`,
            synchronous or not, that returns a score from 0 to 1, a truth value, or a pair of either and a message.
        engine: Where the runs are handed over to workers, `temporal://host:port/namespace` (see `apr worker`); what is
            returned then is run in the same way, with `ainvoke`, `invoke` and `astream`. What it would be given here,
            such as tools, the workers are given.
        tools: What threads and direct answers may call: LangChain tools, or functions whose docstrings say what they
            are for.
        models: Chat models of your own, by the role that asks them (`assess`, `decompose`, `solve`, `easy`, `review`,
            `fallback`), or `model` for every role. Settings name them `own:ROLE`.
        compile_options: What LangGraph's `compile` takes, such as `checkpointer=`.

    Raises:
        ValueError: A tool has no docstring, or a name that cannot be used; a model is for no role, or is none; the
            engine's address is none, or something is given that its workers would have to be given.
    """
    if engine is not None:
        return _elsewhere(engine, cache=cache, checker=checker, models=models, tools=tools, **compile_options)
    box = make_toolbox(tools)
    mask_traces()
    compiled = Bindable.of(lay_out().compile(name="adaptive", **know_our_types(compile_options)))
    given = ((CACHE, cache), (CHECKER, checker), (TOOLS, box if box.tools else None))
    own: dict[str, Any] = {name: one for name, one in given if one is not None}
    if models:
        own[MODELS] = know_models(models)
    return compiled.with_config(configurable=own) if own else compiled


def _elsewhere(engine: str, **given: Any) -> Any:
    from graphs.temporal.graph import TemporalGraph

    if unused := sorted(name for name, value in given.items() if value):
        raise ValueError(f"`{unused[0]}` cannot be handed over to other machines; give it to their workers")
    return TemporalGraph(engine)


graph = build_graph()
