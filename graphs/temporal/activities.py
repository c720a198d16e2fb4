"""What a worker does of a run: choose its settings, run its nodes, and keep it when it has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from langsmith import tracing_context
from temporalio import activity
from temporalio.exceptions import ApplicationError

from graphs.history.runs import Runs, config
from graphs.history.store import Store
from graphs.temporal.stage import STAGES, read_input, run_stage
from graphs.temporal.texts import RunTexts
from graphs.temporal.wire import KEEP, OPEN, KeepCall, Opened, RunCall, StageCall, StageReply, write_values
from nodes.boundary.access import for_request
from nodes.boundary.node import NodeError
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.masking import mask_text
from nodes.state import Solution
from nodes.threads.stopping import stop_thread

BEAT_S = 0.5
"""Seconds between two signs of life; with each comes how far the step has got."""
MAX_TOLD_CHARACTERS = 20_000
"""Characters of a reply's beginning that are told while it is written."""


class Progress:
    """How far a step has got, as its signs of life tell it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.events: list[dict[str, Any]] = []
        self._message: dict[str, Any] = {}

    def hear(self, mode: str, event: Any) -> None:
        """Take in what the node streams."""
        if mode == "custom":
            self.events.append(event)
            return
        message, about = event
        if message.id != self._message.get("id"):
            told = {name: about[name] for name in ("langgraph_node", "apr_prompt", "apr_thread") if name in about}
            self._message = {"id": message.id, "about": told, "text": ""}
        self._message["text"] = (self._message["text"] + str(message.text))[:MAX_TOLD_CHARACTERS]

    def told(self) -> dict[str, Any]:
        """Return what is new to others."""
        return {"events": self.events[-2:], "message": self._message}


class Activities:
    """The activities of a worker."""

    def __init__(self, store: Store, *, worker: str, configurable: Mapping[str, Any]) -> None:
        """Use a store; `configurable` is what the worker brings for all runs, such as its tools."""
        self._runs, self._texts = Runs(store), RunTexts(store)
        self._worker, self._configurable = worker, configurable

    def list(self) -> list[Callable[..., Awaitable[Any]]]:
        """List them, a node each."""
        return [self.open, self.keep, *map(self._activity_of, STAGES)]

    @activity.defn(name=OPEN)
    async def open(self, asked: RunCall) -> Opened:
        """Choose a run's settings; what is the operator's to choose is the worker's."""
        try:
            settings = for_request(Settings(**asked.settings))
        except (ConfigurationError, ValueError) as error:
            raise _refuse(error) from None
        return Opened(settings=settings.shown(), keyless=settings.keyless)

    @activity.defn(name=KEEP)
    async def keep(self, call: KeepCall) -> None:
        """Keep how a run ended, as if it had been made in one process."""
        state = await self._texts.complete(call.run, call.state)
        entry = await self._runs.find(call.run)
        if entry.outcome == "running":
            await self._runs.graph(entry).aupdate_state(config(entry), state, as_node="baseline")
            solution = Solution.model_validate(state)
            await self._runs.end(entry, solution.outcome, solution.calls)

    def _activity_of(self, stage: str) -> Callable[[StageCall], Awaitable[StageReply]]:
        async def run(call: StageCall) -> StageReply:
            return await self._run(call)

        # Temporal reads these to know what goes in and out.
        return activity.defn(name=stage)(run)

    async def _run(self, call: StageCall) -> StageReply:
        settings = Settings(**call.opened.settings)
        settings = settings.without_key() if call.opened.keyless else settings
        values, problem = await self._texts.complete(call.run, [call.state, call.problem])
        given = _set_clock(await asyncio.to_thread(read_input, call.stage, values, problem), call)
        progress = Progress()
        work = asyncio.create_task(self._step(call, given, settings, progress))
        update, asks = await self._attend(work, call.stage, given, progress)
        light = await self._texts.lighten(call.run, [write_values(update), write_values(asks)])
        return StageReply(update=light[0], asks=light[1], events=progress.events, worker=self._worker)

    async def _step(self, call: StageCall, given: Any, settings: Settings, progress: Progress) -> Any:
        # Set within the task: what is set around it does not reach it.
        with tracing_context(parent=call.trace or None):
            return await run_stage(
                call.stage,
                given,
                settings,
                thread=call.run,
                replies=call.replies,
                configurable=self._configurable,
                hear=progress.hear,
            )

    async def _attend(self, work: "asyncio.Task[Any]", stage: str, given: Any, progress: Progress) -> Any:
        """Wait for a node to end, giving signs of life; a thread that is stopped still says how far it came."""
        beat = asyncio.create_task(_beat(progress))
        try:
            while not work.done():
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError:
                    why = activity.cancellation_details()
                    stopped = stage == "solve" and why is not None and why.cancel_requested
                    if not (stopped and stop_thread(given.run.id, given.spec.id)):
                        work.cancel()
                        with suppress(asyncio.CancelledError, Exception):
                            await work
                        raise
            return work.result()
        except (NodeError, ConfigurationError) as error:
            raise _refuse(error) from None
        finally:
            beat.cancel()


def _set_clock(given: Any, call: StageCall) -> Any:
    """Have the run's clock show what it shows elsewhere, by the server's time: those of machines differ."""
    about = activity.info()
    elapsed = call.elapsed_s + (about.started_time - about.scheduled_time).total_seconds()
    run = getattr(given, "run", None)
    return given.model_copy(update={"run": run.model_copy(update={"worked": elapsed})}) if run else given


async def _beat(progress: Progress) -> None:
    while True:
        activity.heartbeat(progress.told())
        await asyncio.sleep(BEAT_S)


def _refuse(error: Exception) -> ApplicationError:
    """Return what ends the run: it would be the same at every other worker."""
    return ApplicationError(mask_text(str(error)), type=type(error).__name__, non_retryable=True)
