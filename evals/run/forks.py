"""Adaptive's runs, checkpointed, and the ablations that go on from them.

An ablation differs from `adaptive` from one step on. It takes over adaptive's own run up to there, calls and times
included, so that the two differ in nothing but that step, and nothing is paid for twice.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import StateSnapshot

from evals.item import Item
from graphs import build_graph
from nodes.boundary.stored_types import DeclaredTypes
from nodes.llm.endpoints.usage import last_end
from nodes.planning.plan import ThreadPlan, read_everything
from nodes.shared.run import Run
from nodes.state import Problem, Solution, State

FILE = ".runs.sqlite"
Step = tuple[StateSnapshot, dict[str, Any]]
"""Where a run is left, and what is written there instead."""


class Runs:
    """Adaptive's runs."""

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self.saver = saver
        self.graph = build_graph(checkpointer=saver)

    async def whole(self, item: Item, settings: Mapping[str, Any]) -> Solution:
        """Run the workflow on an item from the beginning."""
        config = _config(item, settings)
        await self.saver.adelete_thread(config["configurable"]["thread_id"])
        problem = Problem(question=item.question, documents=item.documents)
        return Solution.model_validate(await self.graph.ainvoke(problem, config, context=settings))

    async def fork(
        self, item: Item, adaptive: Mapping[str, Any], settings: Mapping[str, Any], *, after: str
    ) -> Solution:
        """Go on from adaptive's run with other settings.

        Args:
            item: The item.
            adaptive: Settings of adaptive's run, which is made if it is not there.
            settings: Settings from the fork on.
            after: The node after which the two part: `assess`, `decompose` or `solve`.

        Returns:
            What came of it; adaptive's own run where the other settings change nothing.
        """
        history = await self._history(item, adaptive)
        base = Solution.model_validate(history[-1].values)
        step = STEPS[after](history)
        if step is None:
            return base
        before, update = step
        forked = await self.graph.aupdate_state(before.config, update, as_node=after)
        return Solution.model_validate(await self.graph.ainvoke(None, forked, context=settings))

    async def _history(self, item: Item, settings: Mapping[str, Any]) -> list[StateSnapshot]:
        """List the steps of a finished run, which is made if it is not there."""
        if not (steps := await self._list_steps(item, settings)):
            await self.whole(item, settings)
            steps = await self._list_steps(item, settings)
        return steps

    async def _list_steps(self, item: Item, settings: Mapping[str, Any]) -> list[StateSnapshot]:
        """List the steps of a run up to its end, behind which lies what was forked from it; none if it has no end."""
        steps = [step async for step in self.graph.aget_state_history(_config(item, settings))][::-1]
        ends = [place for place, step in enumerate(steps, 1) if not step.next]
        return steps[: ends[0]] if ends else []


@asynccontextmanager
async def open_runs(folder: Path) -> AsyncIterator[Runs]:
    """Open the runs that are kept in a folder, which is made if it is not there."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with AsyncSqliteSaver.from_conn_string(str(folder / FILE)) as saver:
        saver.serde = DeclaredTypes()
        await saver.setup()
        yield Runs(saver)


def _config(item: Item, settings: Mapping[str, Any]) -> Any:
    made_with = "; ".join(f"{name}={value}" for name, value in sorted(settings.items()))
    return {"configurable": {"thread_id": f"{item.dataset} {item.id}; {made_with}"}}


def _split(history: list[StateSnapshot]) -> Step | None:
    """Let through what the gate held back; nothing to do where it split."""
    for before in history:
        if before.next == ("direct",) and not before.values.get("plan"):
            return before, {"parallel": True, "run": _as_if_now(before)}
    return None


def _unscope(history: list[StateSnapshot]) -> Step | None:
    """Give every thread of the plan the whole input; nothing to do where every thread has it already."""
    for before, planned in zip(history, history[1:], strict=False):
        plan: ThreadPlan | None = planned.values.get("plan")
        if before.next == ("decompose",) and plan:
            whole = read_everything(plan, State.model_validate(planned.values).segments())
            if whole == plan:
                return None
            told = {name: planned.values[name] for name in ("repairs", "redo")}
            calls = planned.values["calls"]
            own = calls[len(before.values["calls"]) :]
            return before, {**told, "plan": whole, "calls": own, "run": _as_if_now(planned)}
    return None


def _leave_unreviewed(history: list[StateSnapshot]) -> Step | None:
    """Stop before the first review."""
    for before in history:
        if before.next == ("review",):
            return before, {"run": _as_if_now(before)}
    return None


STEPS: dict[str, Callable[[list[StateSnapshot]], Step | None]] = {
    "assess": _split,
    "decompose": _unscope,
    "solve": _leave_unreviewed,
}
"""By the node after which a fork parts from adaptive's run."""


def _as_if_now(snapshot: StateSnapshot) -> Run:
    """Set the run's clock to the end of its last call, so that the time between the two runs does not count."""
    run: Run = snapshot.values["run"]
    return run.paused_at(last_end(snapshot.values["calls"]))
