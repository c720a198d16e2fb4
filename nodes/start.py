"""Start: check the input and the settings, before anything is asked of a model."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.llm.resolve import check_configuration
from nodes.reporting.tracing import name_run
from nodes.settings import Settings, settings_of
from nodes.shared.run import Run
from nodes.state import Problem, fresh_run


async def start(state: Problem, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Begin a run of a graph that does not assess."""
    await check_configuration(settings_of(runtime))
    name_run("sequential", state.question)
    return fresh_run(Run(), state)
