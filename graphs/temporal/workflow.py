"""The workflow at Temporal: the same graph as in one process, every node of it an activity."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from langsmith import tracing_context
from temporalio import workflow

from graphs.adaptive import lay_out
from graphs.temporal.wire import KEEP, OPEN, WORKFLOW, KeepCall, News, Opened, RunCall, write_values
from graphs.temporal.work import RETRIES, STEP, WORK, Work, remote
from nodes.settings import Settings
from nodes.state import State

OPENING: dict[str, Any] = STEP | {"retry_policy": replace(RETRIES, maximum_attempts=6)}
"""Who asks is soon told that no worker can begin the run, as where they have another store."""


@lru_cache(maxsize=1)
def make_graph() -> Any:
    """Compile the graph whose nodes run at workers."""
    return lay_out(remote).compile(name=WORKFLOW)


@workflow.defn(name=WORKFLOW, failure_exception_types=[Exception])
class AdaptiveRun:
    """One run of the workflow."""

    @workflow.init
    def __init__(self, asked: RunCall) -> None:
        """Begin with nothing done."""
        self._work = Work(asked)

    @workflow.run
    async def run(self, asked: RunCall) -> dict[str, Any]:
        """Answer the question; returns the state at the end, without its long texts."""
        opened = await workflow.execute_activity(OPEN, asked, result_type=Opened, **OPENING)
        self._work.begin(opened)
        WORK.set(self._work)
        settings = Settings(**opened.settings)
        # What is traced is what workers do.
        with tracing_context(enabled=False):
            config: Any = {"configurable": {"thread_id": asked.run}}
            values = await make_graph().ainvoke(asked.problem, config, context=settings, output_keys=list(OUTPUT))
        state = write_values(values)
        await workflow.execute_activity(KEEP, KeepCall(run=asked.run, state=state), **STEP)
        return state

    @workflow.query
    def news(self, seen: int) -> News:
        """Tell what happened after the first so many events."""
        return self._work.news(seen)

    @workflow.update
    async def reply(self, said: Any) -> None:
        """Take what a person says to what was asked."""
        self._work.reply(said)

    @reply.validator
    def _is_asked(self, _: Any) -> None:
        if self._work.news(0).asks is None:
            raise ValueError("nothing is asked of a person just now")

    @workflow.update
    async def stop_thread(self, id: str) -> bool:
        """Stop a thread at work; tells whether there is such a one."""
        return self._work.stop(id)


OUTPUT = tuple(State.model_fields)
"""All of the state, so that the run can be shown, and gone on with, as one that was made in one process."""
