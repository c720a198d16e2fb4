"""A compiled graph that can be bound to settings (`graph.with_config(context={…})`), and keeps what any store can."""

from collections.abc import Iterator, Sequence
from typing import Any, Self, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateUpdate
from pydantic import BaseModel

from graphs.intake import storable_input, storable_messages, storable_updates
from nodes.boundary.choice import CONTEXT_KEY
from nodes.boundary.side_loop import interruptible
from nodes.reporting.tracing import mask_traces


def know_our_types(compile_options: dict[str, Any], *more: type[BaseModel]) -> dict[str, Any]:
    """Make a checkpointer among the options of `compile` one that knows the types of our states, and some `more`."""
    if compile_options.get("checkpointer") in (None, True, False):
        return compile_options
    from nodes.boundary.stored_types import read_declared  # it takes its time, and most graphs are compiled without

    return compile_options | {"checkpointer": read_declared(compile_options["checkpointer"], *more)}


class Bindable(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph.

    Its traces are masked from when it is made, for a graph of somebody else's that runs it, and where tracing is turned
    on only later, from its own run on.
    """

    intake = staticmethod(storable_input)
    """Takes in what a run is given."""

    @classmethod
    def of(cls, compiled: Any) -> Self:
        """Make a graph that LangGraph has compiled one of these."""
        mask_traces()
        compiled.__class__ = cls
        return cast(Self, compiled)

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

    def kept_by(self, saver: BaseCheckpointSaver[Any]) -> Self:
        """Return a copy whose runs are kept by a checkpointer; compiling it anew would take a hundred times as long."""
        return self.copy(know_our_types({"checkpointer": saver}))

    # All other ways to run it, and to write into its state, lead through these.

    def stream(self, input: Any, *args: Any, **kwargs: Any) -> Any:
        """Run it; input that is refused raises a `ValueError`, and nothing of it is stored. Ctrl-C stops it at once."""
        mask_traces()
        return _interruptibly(super().stream(self.intake(input), *args, **kwargs))

    def batch(self, *args: Any, **kwargs: Any) -> Any:
        """Run it for each of several inputs; Ctrl-C stops all of them at once."""
        with interruptible():
            return super().batch(*args, **kwargs)

    def astream(self, input: Any, *args: Any, **kwargs: Any) -> Any:
        """Run it; input that is refused raises a `ValueError`, and nothing of it is stored."""
        mask_traces()
        return super().astream(self.intake(input), *args, **kwargs)

    def bulk_update_state(self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]) -> RunnableConfig:
        """Write into the state of a run."""
        return super().bulk_update_state(config, storable_updates(supersteps))

    async def abulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """Write into the state of a run."""
        return await super().abulk_update_state(config, storable_updates(supersteps))


def _interruptibly(events: Iterator[Any]) -> Iterator[Any]:
    with interruptible():
        yield from events


class Conversation(Bindable):
    """A compiled graph that is given messages."""

    intake = staticmethod(storable_messages)
