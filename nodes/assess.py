"""Assess: outline the parts of the question, and decide whether to split it."""

from typing import Any

from langgraph.config import get_config
from langgraph.runtime import Runtime

from nodes.asking.ahead import DIRECT, begin_ahead
from nodes.asking.outline import messages, shape, stage_of
from nodes.asking.planner import Planned, check_planner, plan
from nodes.asking.weigh import known_clients, roles_to_weigh, weigh
from nodes.boundary.progress import tell_stage
from nodes.llm import flights
from nodes.llm.endpoints.usage import Call
from nodes.llm.replies.errors import ConfigurationError, ModelError
from nodes.llm.resolve import check_configuration
from nodes.planning.difficulty import OutlineOfDifficulty
from nodes.planning.needs import widest
from nodes.planning.outline import Outline, read_parts
from nodes.planning.repair import Repair
from nodes.planning.solvers import OutlineOfSolvers, hardest
from nodes.reporting.tracing import name_run
from nodes.settings import Settings, settings_of
from nodes.shared.run import Run
from nodes.stage import stage_failed
from nodes.state import Assessment, Problem, fresh_run
from nodes.tools.toolbox import find_toolbox


async def assess(state: Problem, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Start the run and decide whether the problem is split."""
    settings, run = settings_of(runtime), Run()
    await check_configuration(settings)
    await check_planner(settings)
    name_run("adaptive", state.question)
    tell_stage(runtime, "assess")
    check_oversight(settings)
    start, tools = fresh_run(run, state), await find_toolbox(settings)
    async with begin_ahead(state, settings, run) as begun:
        planned = Planned() if flights.is_answered(run.id, DIRECT) else await plan(state, settings, run)
        on_text = begun.hear if begun and begun.threads else None
        caller = stage_of(state).caller(settings, run, planned.calls, on_text=on_text)

        async def ask() -> Outline:
            return await caller.structured(messages(state, settings, tools), shape(settings))

        before = [*(begun.vain if begun else ()), *planned.calls]
        try:
            written = planned.outline or await flights.unless_answered(run.id, DIRECT, ask)
        except ModelError as error:
            vain = await flights.drop_others(run.id, {DIRECT})
            failed = stage_failed("assess", caller, error) | _calls(*before, *caller.calls, *vain)
            return start | failed | {"repairs": list(planned.repairs)}
        decided, repairs = await _decide(state, settings, run, written) if written else ({}, [])
        split = decided.get("parallel", False)
        vain = await (flights.drop(run.id, {DIRECT}) if split else flights.drop_others(run.id, {DIRECT}))
    outlining = caller.calls if written else flights.in_vain(caller)
    return start | decided | _calls(*before, *outlining, *vain) | {"repairs": [*planned.repairs, *repairs]}


def _calls(*calls: Call) -> dict[str, Any]:
    # An empty list would leave the calls of an earlier run where they are.
    return {"calls": list(calls) or None}


async def _decide(
    state: Problem, settings: Settings, run: Run, written: Outline
) -> tuple[dict[str, Any], list[Repair]]:
    """Read an outline, and decide whether the question is split."""
    solvers = written.solvers if isinstance(written, OutlineOfSolvers) else []
    difficulty = written.difficulty if isinstance(written, OutlineOfDifficulty) else []
    parts, repairs = read_parts(written.parts, state.segments(), solvers, difficulty)
    ready = widest(parts)
    assessment = Assessment(
        parts=parts,
        answer=written.answer,
        subquestions=[part.question for part in ready],
        decomposable=len(ready) > 1,
        solver=hardest(solvers),
    )
    weighed = None
    if assessment.decomposable:
        joins = assessment.answer == "text"
        clients = await known_clients(settings, run, roles_to_weigh(settings, joins=joins))
        weighed = weigh(state, settings, clients, parts=len(ready), joins=joins)
    pays = weighed is None or weighed.pays or settings.split == "if_independent"
    # Whose direct answer is there already was asked too little to split.
    worth = assessment.decomposable and pays and not flights.is_answered(run.id, DIRECT)
    parallel = settings.split == "always" or worth
    return {"assessment": assessment, "forecast": weighed, "parallel": parallel}, repairs


def check_oversight(settings: Settings) -> None:
    """Find out before the first call that a run could not wait for a person.

    Raises:
        ConfigurationError: There is no checkpointer to wait in.
    """
    if settings.oversight != "none" and not get_config().get("configurable", {}).get("thread_id"):
        raise ConfigurationError(
            f"`oversight` {settings.oversight} needs a checkpointer and a thread_id to wait in: "
            "build_graph(checkpointer=…) and config={'configurable': {'thread_id': …}}"
        )
