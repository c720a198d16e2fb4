"""The workflow with what a program gives it: tools, models, a checker, a cache, workers on other machines."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.cache.base import BaseCache

from graphs.adaptive import compile_graph
from nodes.llm.endpoints.own import MODELS, know_models
from nodes.solvers.checking import CHECKER, Checker
from nodes.threads.cache import CACHE
from nodes.tools.toolbox import TOOLS, make_toolbox


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
    compiled = compile_graph(**compile_options)
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
