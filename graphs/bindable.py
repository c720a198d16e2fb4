"""A compiled graph that can be bound to settings: `graph.with_config(context={…})`."""

from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from nodes.boundary.choice import CONTEXT_KEY


def know_our_types(compile_options: dict[str, Any]) -> dict[str, Any]:
    """Make a checkpointer among the options of `compile` one that knows the types of our states."""
    if compile_options.get("checkpointer") in (None, True, False):
        return compile_options
    from nodes.boundary.stored_types import read_declared  # it takes its time, and most graphs are compiled without

    return compile_options | {"checkpointer": read_declared(compile_options["checkpointer"])}


class Bindable(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph."""

    def with_config(self, config: RunnableConfig | None = None, *, context: Any = None, **more: Any) -> Self:
        """Return a copy with a changed configuration.

        Args:
            config: LangGraph's configuration; settings may stand among what is `configurable`.
            context: Settings that hold where a caller passes none.
            more: Fields of the configuration.
        """
        changed = super().with_config(config, **more)
        bound: RunnableConfig = {"configurable": {CONTEXT_KEY: context}}
        return changed if context is None else changed.with_config(bound)


def make_bindable(compiled: Any) -> Any:
    """Make a graph that LangGraph has compiled one that can be bound."""
    compiled.__class__ = Bindable
    return compiled
