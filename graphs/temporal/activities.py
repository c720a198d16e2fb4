"""What a worker does of a run: choose its settings, run its nodes, and keep it when it has ended."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from langsmith import tracing_context
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from graphs.history.handed import HandedRuns
from graphs.history.store import Store
from graphs.temporal.stage import STAGES, read_input, run_stage
from graphs.temporal.texts import RunTexts
from graphs.temporal.wire import KEEP, OPEN, KeepCall, Opened, RunCall, StageCall, StageReply, write_values
from nodes.boundary.access import for_request
from nodes.boundary.node import NodeError
from nodes.input.segments import Segment
from nodes.llm.endpoints.recent import Recent
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.masking import mask_text
from nodes.state import State
from nodes.threads.stopping import stop_thread

BEAT_S = 0.5
"""Seconds between two signs of life; with each comes how far the step has got."""
MAX_GROWING_CHARACTERS = 20_000
"""Characters of a reply's beginning that are told while it is written."""
MAX_ON_ITS_WAY_S = 2.0
"""Seconds from the server to here after which a step may have been given to another worker; clocks may differ, too."""
MAX_RUNS_HELD = 1_000
"""Runs whose settings a worker remembers."""
MAX_PROBLEMS_HELD = 16
"""Runs whose documents a worker holds, 5 MB each at most."""


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
        self._message["text"] = (self._message["text"] + str(message.text))[:MAX_GROWING_CHARACTERS]

    def describe(self) -> dict[str, Any]:
        """Return what is new to others."""
        return {"events": self.events[-2:], "message": self._message}


class Activities:
    """The activities of a worker."""

    def __init__(self, store: Store, *, worker: str, configurable: Mapping[str, Any]) -> None:
        """Use a store; `configurable` is what the worker brings for all runs, such as its tools."""
        self._runs, self._texts = HandedRuns(store), RunTexts(store)
        self._worker, self._configurable = worker, configurable
        # To read them costs as much processor time as all else that a thread takes of it.
        self._settings: Recent[str, Settings] = Recent(MAX_RUNS_HELD)
        self._segments: Recent[tuple[str, int], dict[int, Segment]] = Recent(MAX_PROBLEMS_HELD)
        self._numbering = asyncio.Lock()

    def list(self) -> list[Callable[..., Awaitable[Any]]]:
        """List them, a node each."""
        return [self.open, self.keep, *map(self._activity_of, STAGES)]

    @activity.defn(name=OPEN)
    async def open(self, asked: RunCall) -> Opened:
        """Choose a run's settings; what is the operator's to choose is the worker's."""
        async with _beating(Progress()):
            await self._runs.get(asked.run)
            try:
                settings = await asyncio.to_thread(lambda: for_request(Settings(**asked.settings)))
            except (ConfigurationError, ValueError) as error:
                raise _refuse(error) from None
            # Who would use what is begun early may be another worker.
            return Opened(settings=settings.show() | {"head_start": "off"}, keyless=settings.keyless)

    @activity.defn(name=KEEP)
    async def keep(self, call: KeepCall) -> None:
        """Keep how a run ended, as if it had been made in one process."""
        async with _beating(Progress()):
            state = await self._texts.complete(call.run, call.state)
            entry = await self._runs.get(call.run)
            if entry.outcome in ("running", "stopped"):
                await self._runs.keep(entry, state)

    def _activity_of(self, stage: str) -> Callable[[StageCall], Awaitable[StageReply]]:
        async def run(call: StageCall) -> StageReply:
            progress = Progress()
            async with _beating(progress):
                return await self._run(call, progress)

        # Temporal reads these to know what goes in and out.
        return activity.defn(name=stage)(run)

    async def _run(self, call: StageCall, progress: Progress) -> StageReply:
        settings = await self._settings_of(call)
        values = await self._texts.complete(call.run, call.state)
        segments = await self._segments_of(call) if call.stage == "solve" else {}
        given = _set_clock(await asyncio.to_thread(read_input, call.stage, values, segments), call)
        work = asyncio.create_task(self._step(call, given, settings, progress))
        update, asks = await self._attend(work, call.stage, given)
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

    async def _settings_of(self, call: StageCall) -> Settings:
        """Return a run's settings; a run that is new here must be in the store, too."""
        key = str(activity.info().workflow_run_id)
        if key not in self._settings:
            await self._runs.get(call.run)
        return self._settings.get_or_make(key, lambda: _read_settings(call.opened))

    async def _segments_of(self, call: StageCall) -> Mapping[int, Segment]:
        """Number a run's problem, once for all threads that are worked on here."""
        # Pieces are added, and never changed.
        key = call.run, len(call.pieces)
        async with self._numbering:
            if key not in self._segments:
                entry = await self._runs.get(call.run)
                problem = await self._texts.complete(call.run, {**entry.problem, "pieces": call.pieces})
                made = await asyncio.to_thread(lambda: State.model_validate(problem).segments())
                self._segments[key] = {segment.number: segment for segment in made}
            return self._segments.get_or_make(key, dict)

    async def _attend(self, work: "asyncio.Task[Any]", stage: str, given: Any) -> Any:
        """Wait for a node to end; a thread that is stopped still says how far it came."""
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


def _read_settings(opened: Opened) -> Settings:
    settings = Settings(**opened.settings)
    return settings.without_key() if opened.keyless else settings


def _set_clock(given: Any, call: StageCall) -> Any:
    """Have the run's clock show what it shows elsewhere, by the server's time: those of machines differ."""
    about = activity.info()
    elapsed = call.elapsed_s + (about.started_time - about.scheduled_time).total_seconds()
    run = getattr(given, "run", None)
    return given.model_copy(update={"run": run.model_copy(update={"worked": elapsed})}) if run else given


@asynccontextmanager
async def _beating(progress: Progress) -> AsyncIterator[None]:
    """Give signs of life while this block runs: reading the input and keeping what came of it take their time, too.

    Raises:
        ApplicationError: The step is another worker's by now.
    """
    if abs(time.time() - activity.info().started_time.timestamp()) > MAX_ON_ITS_WAY_S:
        await _see_that_it_is_ours()

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            activity.heartbeat(progress.describe())

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()


async def _see_that_it_is_ours() -> None:
    """Ask the server whether a step that was long on its way, as behind a broken network, is still to be done here."""
    token = activity.info().task_token
    try:
        await activity.client().get_async_activity_handle(task_token=token).heartbeat()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        late = "this step came too late and is done elsewhere"
        raise ApplicationError(late, type="TooLate", category=ApplicationErrorCategory.BENIGN) from None


def _refuse(error: Exception) -> ApplicationError:
    """Return what ends the run: it would be the same at every other worker."""
    return ApplicationError(mask_text(str(error)), type=type(error).__name__, non_retryable=True)
