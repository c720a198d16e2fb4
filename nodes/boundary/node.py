"""What every node of a graph passes through: its settings, its clock, and what may leave where it breaks."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from langgraph._internal._runnable import RunnableCallable
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime

from nodes.boundary.choice import choose
from nodes.boundary.side_loop import run_aside
from nodes.llm.endpoints.usage import last_end
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.masking import mask_text, trace_of
from nodes.shared.run import Clocks, Run

Node = Callable[[Any, Runtime[Settings]], Awaitable[dict[str, Any]]]

_log = logging.getLogger(__name__)
_clocks = Clocks()


class NodeError(Exception):
    """A node broke; the message says how, without secrets."""


def bound_node(node: Node) -> RunnableCallable:
    """Let a node see only the settings that its caller may choose, and nothing leave it but errors of ours.

    LangGraph keeps the words of an error in the run's store, shows them over HTTP and puts them into traces; those of a
    library may hold the header of a request. What is returned can be called without an event loop, too.
    """

    @wraps(node)
    async def within(state: Any, runtime: Runtime[Settings]) -> dict[str, Any]:
        try:
            return await _step(node, state, runtime)
        except GraphBubbleUp:  # a person is asked, or the run is stopped
            raise
        except (ConfigurationError, NodeError) as error:  # one of ours, or that of a graph within
            broken: Exception = type(error)(mask_text(str(error)))
        except Exception as error:
            _log.error("%s broke:\n%s", node.__name__, trace_of(error))
            broken = NodeError(mask_text(f"{node.__name__} broke: {type(error).__name__}: {error}"))
        # Out here, so that what it came from does not hang on it.
        raise broken

    @wraps(node)
    def aside(state: Any, runtime: Runtime[Settings]) -> dict[str, Any]:
        return run_aside(within(state, runtime))

    return RunnableCallable(aside, within, name=node.__name__, trace=False)


async def _step(node: Node, state: Any, runtime: Runtime[Settings]) -> dict[str, Any]:
    run: Run | None = getattr(state, "run", None)
    settings = choose(runtime, run.settings if run else {})
    if run:
        run = _clocks.of(runtime.control, run, last_end(getattr(state, "calls", [])))
        state = state.model_copy(update={"run": run})
    update = await node(state, replace(runtime, context=settings))
    written: Run | None = update.get("run")
    if written and not run:
        written = written.model_copy(update={"settings": settings.given})
    # Threads work side by side, and only the step after them writes the clock.
    kept = written or (run if hasattr(state, "calls") else None)
    if kept is None:
        return update
    kept = _clocks.keep(runtime.control, kept)
    return update | {"run": kept.model_copy(update={"worked": kept.elapsed()})}
