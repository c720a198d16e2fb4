"""Running a question, or going on with a run that was stopped, kept in a store."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command, Interrupt
from pydantic import ValidationError

from graphs.build import build_graph
from graphs.cli.terminal.display import display
from graphs.cli.terminal.oversee import Quit, ask
from graphs.history.runs import Entry, RunError, Runs, config, new_id
from graphs.history.store import Store, open_store
from graphs.sequential import build_sequential
from graphs.streams.answer import ANSWER_MODES, AnswerStream
from graphs.temporal.address import EngineError
from nodes.boundary.access import OPERATORS, for_request
from nodes.boundary.stored_types import DeclaredTypes
from nodes.llm.replies.errors import ConfigurationError
from nodes.llm.resolve import prepare
from nodes.settings import Settings
from nodes.shared.environment import environment_store, use_store
from nodes.state import Problem, Solution

_current: list[str] = []
"""The run at work, for who is interrupted."""
_elsewhere: set[str] = set()
"""Runs that workers work on."""


class Stopped(Exception):
    """A run was stopped by a signal, at a point from which it can be resumed."""

    def __init__(self, run: str) -> None:
        """Name the run."""
        super().__init__(run)
        self.run = run


def say_stopped(run: str | None = None) -> str:
    """Say what has become of a run, by default of the one at work, and how it goes on; nothing where it is not kept."""
    known = run or (_current[-1] if _current else "")
    if known in _elsewhere:
        return f"left; the run goes on at its workers: apr resume {known} comes back to it, apr cancel {known} stops it"
    return f"stopped; apr resume {known} goes on" if known else "stopped"


def answer_question(
    problem: Problem, settings: Settings, *, sequential: bool, store: str | None, engine: str | None = None
) -> Solution:
    """Answer a question in a run that is kept.

    Args:
        problem: The question.
        settings: How.
        sequential: Whether in one call.
        store: Where it is kept.
        engine: Where it is handed over to workers, if it is.

    Raises:
        StoreError: It cannot be kept where it was asked for.
        EngineError: It cannot be handed over.
        Stopped: A signal stopped it.
    """
    if store:
        use_store(store)
    if engine:
        return asyncio.run(_hand_over(problem, settings, store or environment_store(), engine))
    return asyncio.run(_answer(problem, settings, sequential=sequential, store=store))


def resume_run(id: str, store: str, base_url: str | None) -> Solution:
    """Go on with a run.

    Raises:
        RunError: There is nothing to go on with.
        StoreError: The store cannot be opened.
        Stopped: A signal stopped it again.
    """
    use_store(store)
    return asyncio.run(_resume(id, store, base_url))


async def _answer(problem: Problem, settings: Settings, *, sequential: bool, store: str | None) -> Solution:
    # Before the display opens: writing the embedded model has a progress bar of its own.
    await prepare(settings)
    async with contextlib.AsyncExitStack() as stack:
        try:
            begun = await _open_run(stack, problem, settings, sequential=sequential, place=store or environment_store())
        except Exception as error:
            if store:
                raise
            # A default place that cannot be used costs a warning.
            sys.stderr.write(f"apr: this run is not kept: {error}\n")
            begun = None
        if begun:
            return await _run_in_store(*begun, problem.model_dump(), settings)
        return await _run_without_store(problem, settings, sequential=sequential)


async def _open_run(
    stack: contextlib.AsyncExitStack, problem: Problem, settings: Settings, *, sequential: bool, place: str
) -> tuple[Runs, Entry] | None:
    """Open the store and enter the run; nothing where no store is wanted."""
    if place.lower() == "none":
        return None
    runs = Runs(await stack.enter_async_context(open_store(place)))
    return runs, await stack.enter_async_context(runs.begin(problem, settings.show(), sequential=sequential))


async def _run_without_store(problem: Problem, settings: Settings, *, sequential: bool) -> Solution:
    waits: dict[str, Any] = (
        {"checkpointer": InMemorySaver(serde=DeclaredTypes())} if settings.oversight != "none" else {}
    )
    graph = build_sequential() if sequential else build_graph(**waits)
    alone = {"configurable": {"thread_id": "alone"}}
    return Solution.model_validate(await _run_dialogue(graph, problem.model_dump(), settings, alone))


async def _hand_over(problem: Problem, settings: Settings, store: str, engine: str) -> Solution:
    """Have a question answered by workers; whoever leaves can come back."""
    if store.lower() == "none":
        raise EngineError("workers, and who asks them, need a store that they share: set APR_STORE, or --store")
    async with open_store(store) as opened:
        return await _watch(opened, new_id(), engine, problem.model_dump(), settings)


async def _watch(store: Store, run: str, engine: str, problem: dict[str, Any] | None, settings: Settings) -> Solution:
    from graphs.temporal.graph import TemporalGraph

    _current.append(run)
    _elsewhere.add(run)
    graph, alone = TemporalGraph(engine, store=store, stops=False), {"configurable": {"thread_id": run}}
    try:
        values = await _run_dialogue(graph, problem, settings, alone)
    except Quit:
        raise Stopped(run) from None
    _current.remove(run)
    return Solution.model_validate(values)


async def _resume(id: str, store: str, base_url: str | None) -> Solution:
    async with open_store(store) as opened:
        runs = Runs(opened)
        found = await runs.find(id)
        if found.engine and found.outcome in ("running", "stopped"):
            return await _watch(opened, found.id, found.engine, None, Settings())
        async with runs.resume(id) as entry:
            settings = _settings_of(entry, base_url)
            problem = await runs.left(entry)
            await prepare(settings)
            return await _run_in_store(runs, entry, problem, settings)


def _settings_of(entry: Entry, base_url: str | None) -> Settings:
    """Read the settings of a run; whoever else can write to the store does not choose where keys go.

    Raises:
        RunError: They are no good, or name an address or a key that only who resumes it may name.
    """
    try:
        kept = Settings(**entry.settings)
        if base_url:
            own = Settings()
            named = {name: getattr(own, name) for name in OPERATORS if name != "prompts"} | {"base_url": base_url}
            return Settings(**kept.given | named)
        return for_request(kept, but=("prompts",))
    except ValidationError as error:
        why = "; ".join(detail["msg"] for detail in error.errors(include_url=False, include_input=False))
        raise RunError(f"the settings of run {entry.id} are not to be used any more: {why}") from error
    except ConfigurationError as error:
        where = f" {kept.base_url}" if kept.base_url else ""
        raise RunError(
            f"run {entry.id} was begun with a server, a key, a planner or tools that this environment does not name; "
            f"if its server{where} is yours, name it: apr resume {entry.id} --base-url ADDRESS"
        ) from error


@contextlib.contextmanager
def _drain_on_sigterm() -> Iterator[RunControl]:
    """Let SIGTERM stop the run at its next step."""
    control = RunControl()
    # Windows has no such signal to wait for.
    loop = asyncio.get_running_loop() if sys.platform != "win32" else None
    if loop:
        loop.add_signal_handler(signal.SIGTERM, control.request_drain)
    try:
        yield control
    finally:
        if loop:
            loop.remove_signal_handler(signal.SIGTERM)


async def _run_in_store(runs: Runs, entry: Entry, problem: dict[str, Any] | None, settings: Settings) -> Solution:
    _current.append(entry.id)
    if settings.oversight in ("plan", "both"):
        await runs.learn()
    try:
        with _drain_on_sigterm() as control:
            graph = runs.graph(entry)
            values = await _run_dialogue(graph, problem, settings, config(entry), durability="sync", control=control)
    except (GraphDrained, Quit):
        await runs.end(entry, "stopped")
        raise Stopped(entry.id) from None
    solution = Solution.model_validate(values)
    await runs.end(entry, solution.outcome, solution.calls)
    _current.remove(entry.id)
    return solution


async def _run_dialogue(
    graph: Any, given: dict[str, Any] | Command[Any] | None, settings: Settings, run: Any, **options: Any
) -> dict[str, Any]:
    """Run to the end, asking the person in the terminal where the run waits for one."""
    while True:
        values, waiting = await _show_progress(graph, given, settings, run, **options)
        if not waiting:
            return values
        # All that waits is answered, one after the other.
        replies = {one.id: await asyncio.to_thread(ask, one.value) for one in waiting}
        given = Command(resume=replies)


async def _show_progress(
    graph: Any, given: dict[str, Any] | Command[Any] | None, settings: Settings, run: Any, **options: Any
) -> tuple[dict[str, Any], tuple[Interrupt, ...]]:
    values: dict[str, Any] = {}
    waiting: tuple[Interrupt, ...] = ()
    with display() as shown:
        answer = AnswerStream(shown.think)
        # Where nobody watches the answer grow, replies come whole.
        modes = list(ANSWER_MODES) if shown.shows_answer else ["custom", "values"]
        stream = graph.astream(given, run, context=settings, stream_mode=modes, **options)
        async with aclosing(stream) as events:
            async for mode, event in events:
                if mode == "custom":
                    shown.show(event)
                elif mode == "values" and "__interrupt__" in event:
                    waiting = event["__interrupt__"]
                elif mode == "values":
                    values = event
                for change in answer.take(mode, event):
                    shown.grow(change)
    return values, waiting
