"""What the graph of native trajectories keeps while it runs, and what one of its threads gets."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from nodes.llm.limits.ledger import spending
from nodes.native.grammar import GRAMMARS, Branch, Outline, open_thread
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.settings import Settings
from nodes.shared.run import Run
from nodes.state import Problem, State, ThreadTask, fresh_run
from nodes.threads.results import ThreadResult


class NativeState(State):
    """All that the graph keeps while it runs."""

    prompt: str = ""
    """The question in the model's chat template."""
    blocks: int = 0
    """How many lists of outlines the model has written."""
    opened: list[Outline] = Field(default_factory=list)
    """The outlines whose threads run now, or are about to."""
    abandoned: bool = False
    """Whether the trajectory came to no answer, so that one sequential pass is to answer."""


class BranchTask(ThreadTask):
    """Everything that one thread gets: all that was written before the block, and no sibling's text."""

    text: str
    """What is to be continued."""


def fresh_trajectory(run: Run, problem: Problem, prompt: str) -> dict[str, Any]:
    """Return the update that starts a run."""
    return fresh_run(run, problem) | {"prompt": prompt, "blocks": 0, "opened": [], "abandoned": False}


def thread_id(block: int, number: str) -> str:
    """Name a thread: numbers start anew in each block."""
    return f"B{block}:{number}"


def open_block(state: NativeState, settings: Settings, outlines: list[Outline]) -> dict[str, Any]:
    """Return the update that opens a block; of more than `max_threads` outlines, the rest fails unasked."""
    block = state.blocks + 1
    specs = [ThreadSpec(id=thread_id(block, outline.number), subquestion=outline.task) for outline in outlines]
    before = state.plan.threads if state.plan else []
    return {
        "blocks": block,
        "opened": outlines,
        "plan": ThreadPlan(parallelism=settings.max_parallel, threads=[*before, *specs]) if specs else state.plan,
        "results": {spec.id: _leave_out(spec, settings) for spec in specs[settings.max_threads :]},
    }


def _leave_out(spec: ThreadSpec, settings: Settings) -> ThreadResult:
    why = f"not run: more than {settings.max_threads} outlines in its block (`max_threads`)"
    return ThreadResult(id=spec.id, subquestion=spec.subquestion, status="failed", error=why)


def tasks_of_block(state: NativeState, settings: Settings) -> Iterable[BranchTask]:
    """List what each thread of the open block gets, in the order of the outlines."""
    if state.plan is None:
        return
    specs = {spec.id: spec for spec in state.plan.threads}
    spent, rules = spending(state.calls), GRAMMARS[settings.grammar]
    running = state.opened[: settings.max_threads]
    begun = state.prompt + state.trajectory + rules.before_threads
    for outline in running:
        if (spec := specs.get(thread_id(state.blocks, outline.number))) is None:
            continue
        yield BranchTask(
            run=state.run,
            spec=spec,
            segments=[],
            degree=state.plan.parallelism,
            round=state.blocks,
            spent=spent,
            planned=len(state.plan.threads),
            settled=len(state.plan.threads) - len(running),
            text=begun + open_thread(rules, outline.number),
        )


def branches_of(state: NativeState, results: Mapping[str, ThreadResult]) -> list[Branch]:
    """List the threads of the open block as they go into the trajectory, in the order of the outlines."""
    branches = []
    for outline in state.opened:
        result = results.get(thread_id(state.blocks, outline.number))
        finished = result is not None and result.status == "answered"
        branches.append(Branch(number=outline.number, text=result.text if result else "", finished=finished))
    return branches
