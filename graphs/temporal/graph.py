"""The workflow as those see it who hand runs over: a graph that is run elsewhere."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from langgraph.types import Command, Interrupt

from graphs.history.handed import HandedRuns
from graphs.history.runs import RunError, new_id
from graphs.history.store import Store, open_store
from graphs.intake import storable_input
from graphs.temporal.address import EngineAddress, EngineError, OutOfReach, connect, read_engine
from graphs.temporal.follow import ask_news, is_away, list_heartbeats, read_result
from graphs.temporal.spoken import Spoken
from graphs.temporal.texts import RunTexts
from graphs.temporal.traced import Trace
from graphs.temporal.wire import WORKFLOW, RunCall
from nodes.boundary.side_loop import run_aside
from nodes.llm.replies.errors import ConfigurationError
from nodes.settings import Settings
from nodes.shared.environment import environment_store
from nodes.state import Problem, Solution

POLL_S = 0.3
"""Seconds between two looks at a run."""
MAX_AWAY_S = 600.0
"""Seconds that a server may be away before who follows a run gives up following it."""
TASK_TIMEOUT = timedelta(seconds=5)
"""Of a decision of the workflow's; then another worker takes it."""


class TemporalGraph:
    """The workflow on workers of a Temporal server; it is run as the compiled graph is (`ainvoke`, `astream`)."""

    def __init__(self, address: str, *, store: str | Store | None = None, stops: bool = True) -> None:
        """Name the server.

        Args:
            address: `temporal://host:port/namespace?queue=name`.
            store: The runs' store, which all workers share; `APR_STORE` by default.
            stops: Whether who breaks off what it yields stops the run; else it goes on without anybody watching.

        Raises:
            ValueError: The address is none.
        """
        self.address: EngineAddress = read_engine(address)
        self._store, self._stops = store, stops

    async def ainvoke(self, input: Any, config: Any = None, *, context: Any = None, **options: Any) -> dict[str, Any]:
        """Run it to its end; returns the solution's fields, or with `__interrupt__` what a person is asked."""
        values: dict[str, Any] = {}
        async for _, event in self.astream(input, config, context=context, stream_mode=["values"], **options):
            values = event
        return values

    def invoke(self, input: Any, config: Any = None, *, context: Any = None, **options: Any) -> dict[str, Any]:
        """Do the same where there is no event loop."""
        return run_aside(self.ainvoke(input, config, context=context, **options))

    async def astream(
        self,
        input: Any,
        config: Any = None,
        *,
        context: Settings | Mapping[str, Any] | None = None,
        stream_mode: list[str] | None = None,
        **_: Any,
    ) -> AsyncIterator[tuple[str, Any]]:
        """Run it, and yield what it tells: `(mode, event)`.

        A run goes on where the process dies that watches it. Who comes back to it passes no input (`None`), and its id
        as the configuration's `thread_id`. `Command(resume=…)` replies to what it asked a person.

        Args:
            input: The problem; nothing to come back to a run; or a reply.
            config: `{"configurable": {"thread_id": …}}` names the run.
            context: Settings.
            stream_mode: Of `custom`, `messages` and `values`; all of them by default.

        Raises:
            ConfigurationError: A setting is not to be used at the workers.
            EngineError: The run broke, or was stopped.
            OutOfReach: The server does not answer, or no more.
        """
        modes = stream_mode or ["custom", "messages", "values"]
        run = str((config or {}).get("configurable", {}).get("thread_id") or new_id())
        async with self._open() as (client, store):
            problem = input if input is None or isinstance(input, Command) else _read_problem(input)
            trace = Trace(problem if isinstance(problem, Problem) else None)
            handle = await self._reach(client, store, run, problem, context, trace)
            try:
                async for mode, event in self._follow(handle, store, run, trace):
                    if mode in modes:
                        yield mode, event
            except (asyncio.CancelledError, GeneratorExit):
                if self._stops:
                    with suppress(Exception):
                        await asyncio.shield(handle.cancel())
                raise
            except OutOfReach as error:  # it goes on without anybody watching
                trace.end(error=error)
                raise
            except (ConfigurationError, EngineError) as error:
                trace.end(error=error)
                await HandedRuns(store).give_up(run)
                raise

    async def stop_thread(self, run: str, thread: str) -> bool:
        """Stop one thread of a run, which goes on without it; tells whether such a one was at work."""
        async with self._open() as (client, _):
            stopped: bool = await client.get_workflow_handle(run).execute_update("stop_thread", thread)
            return stopped

    async def cancel(self, run: str) -> None:
        """Stop a run for good: its workers break off what they ask.

        Raises:
            RunError: There is no such run, or it has ended.
        """
        async with self._open() as (client, store):
            runs = HandedRuns(store)
            entry = await runs.find(run)
            if entry.outcome != "running":
                raise RunError(f"run {entry.id} is not at work: it is {entry.outcome}")
            await client.get_workflow_handle(entry.id).cancel()
            await runs.give_up(entry.id)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[tuple[Any, Store]]:
        async with AsyncExitStack() as stack:
            if isinstance(self._store, Store):
                store = self._store
            else:
                place = self._store or environment_store()
                if place.lower() == "none":
                    raise EngineError("workers, and who asks them, need a store that they share: set APR_STORE")
                store = await stack.enter_async_context(open_store(place))
            yield await connect(self.address), store

    async def _reach(self, client: Any, store: Store, run: str, input: Any, context: Any, trace: Trace) -> Any:
        """Begin a run, come back to one, or reply to what one asks."""
        from temporalio.client import RPCError

        handle = client.get_workflow_handle(run, result_type=dict)
        if isinstance(input, Command):
            await _reply(handle, input)
            return handle
        runs = HandedRuns(store)
        if input is not None:
            entry = await runs.hand_over(run, input, _list_choices(context), str(self.address))
        else:
            entry = await runs.find(run)
        call = RunCall(run=entry.id, problem=entry.problem, settings=entry.settings, trace=trace.headers())
        from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
        from temporalio.exceptions import WorkflowAlreadyStartedError

        try:
            return await client.start_workflow(
                WORKFLOW,
                call,
                id=entry.id,
                task_queue=self.address.queue,
                task_timeout=TASK_TIMEOUT,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=entry.question[:100],
                result_type=dict,
            )
        except WorkflowAlreadyStartedError:  # it has ended
            return handle
        except RPCError as error:
            raise EngineError(f"the Temporal server does not take the run: {error.message}") from error

    async def _follow(self, handle: Any, store: Store, run: str, trace: Trace) -> AsyncIterator[tuple[str, Any]]:
        """Yield what the run tells, until it has ended or asks a person."""
        result = asyncio.create_task(handle.result())
        spoken, seen, texts, heard = Spoken(), 0, RunTexts(store), time.monotonic()
        try:
            while True:
                await asyncio.wait([result], timeout=POLL_S)
                if is_away(result) and time.monotonic() < heard + MAX_AWAY_S:
                    result = asyncio.create_task(handle.result())
                    continue
                over = result.done()
                news = await ask_news(handle, seen)
                for told in spoken.take_news(news.events):
                    yield told
                seen += len(news.events)
                if over:
                    break
                if news.asks is not None:
                    asks = await texts.complete(run, news.asks)
                    yield "values", {"__interrupt__": (Interrupt(value=asks, id=f"{run}-{news.asked}"),)}
                    return
                if (beats := await list_heartbeats(handle)) is not None:
                    heard = time.monotonic()
                    for told in itertools.chain.from_iterable(map(spoken.take, beats)):
                        yield told
            state = await texts.complete(run, await read_result(result))
            solution = Solution.model_validate(state)
            trace.end(solution)
            yield "values", {name: solution[name] for name in Solution.model_fields}
        finally:
            result.cancel()


def _read_problem(input: Any) -> Problem:
    return Problem.model_validate(storable_input(dict(input)))


async def _reply(handle: Any, command: Command[Any]) -> None:
    """Tell a run what a person says.

    Raises:
        EngineError: It asks nothing, or is not there.
    """
    from temporalio.client import WorkflowUpdateFailedError
    from temporalio.service import RPCError

    try:
        await handle.execute_update("reply", _reply_of(command))
    except WorkflowUpdateFailedError as error:
        raise EngineError(f"run {handle.id} takes no reply: {getattr(error.cause, 'message', error.cause)}") from error
    except RPCError as error:
        raise EngineError(f"run {handle.id} takes no reply: {error.message}") from error


def _reply_of(command: Command[Any]) -> Any:
    """Return what a person says: one thing is asked at a time, whatever its id."""
    resume = command.resume
    replies = list(resume.values()) if isinstance(resume, dict) and "action" not in resume else [resume]
    return replies[0] if replies else None


def _list_choices(context: Any) -> dict[str, Any]:
    """Return the settings that differ from the defaults: for the rest the workers have their own."""
    settings = context if isinstance(context, Settings) else Settings(**(context or {}))
    given = settings.given
    return {name: value for name, value in settings.show().items() if name in given or value != _default_of(name)}


def _default_of(name: str) -> Any:
    field = Settings.model_fields[name]
    return field.get_default(call_default_factory=True, validated_data={})
