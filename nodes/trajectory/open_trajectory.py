"""Open trajectory: check the input, and put the question into the template of a model that opens threads by itself."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.llm.resolve import check_configuration
from nodes.native.asking import ask_question, write_prompt
from nodes.native.state import fresh_trajectory
from nodes.reporting.tracing import name_run
from nodes.settings import Settings, settings_of
from nodes.shared.run import Run
from nodes.state import Problem


async def open_trajectory(state: Problem, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Begin a run of a native trajectory."""
    settings, run = settings_of(runtime), Run()
    await check_configuration(settings)
    name_run("native", state.question)
    return fresh_trajectory(run, state, await write_prompt(settings, run, ask_question(state)))
