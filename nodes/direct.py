"""Direct: the whole question in one call, for what has no parts, and when no thread could answer."""

from typing import Any, Literal

from langgraph.runtime import Runtime

from nodes.asking import ahead
from nodes.asking.direct import DIRECT, messages, whole_task
from nodes.asking.outcome import read_outcome
from nodes.boundary.progress import tell_stage
from nodes.conclude import conclude, conclude_failed
from nodes.llm import flights
from nodes.llm.limits.budget import budget, find_exhaustion
from nodes.llm.limits.ledger import spending
from nodes.llm.replies.errors import HOPELESS, ModelError
from nodes.llm.replies.text import short_result
from nodes.settings import Settings, settings_of
from nodes.shared.knobs.solvers import SolverName
from nodes.solvers.choice import solve_by
from nodes.solvers.work import Work, find_outcome
from nodes.state import State

ANSWERED_EARLY = "the answer was there before its parts were"
"""Why a question is not split whose direct answer began early and has ended: it was too short for that."""


async def direct(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Answer in one call; where the setting `solver` says so, by a vote or a search."""
    return await _answer(state, runtime, _choose(state, settings_of(runtime)))


async def ask_once(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Answer in one call, whatever the settings: the baseline."""
    return await _answer(state, runtime, "chain")


async def _answer(state: State, runtime: Runtime[Settings], solver: SolverName) -> dict[str, Any]:
    settings, spent = settings_of(runtime), spending(state.calls)
    if state.plan and (why := find_exhaustion(settings, state.run, spent)):
        return conclude_failed(state, settings, [*state.problems, f"no thread could answer, and {why}"])
    asked = [call for call in state.calls if call.role == "solve" and not call.easy]
    if asked and not settings.fallback_model and all(call.status in HOPELESS for call in asked):
        return conclude_failed(state, settings, state.problems)
    if state.dead_model == settings.model_for("solve"):
        return conclude_failed(state, settings, state.problems)
    tell_stage(runtime, "direct", state.round, why=_tell_why(state))
    if solver != "chain":
        return await _solve_whole(state, settings, solver)
    begun = flights.take(state.run.id, ahead.DIRECT)
    caller = begun.caller if begun else DIRECT.caller(settings, state.run, state.calls)
    try:
        reply = await (begun.land() if begun else caller.text(messages(state, settings)))
    except ModelError as error:
        if not (error.reply and error.reply.text):
            return conclude_failed(state, settings, [*state.problems, f"direct: {error}"], caller.calls)
        reply = error.reply
    return conclude(state, settings, answer=reply.text, calls=caller.calls, shortfall=reply.shortfall)


def _tell_why(state: State) -> str:
    """Say why a question is answered in one call that has parts, or may have some."""
    if state.parallel or (state.assessment and not state.assessment.decomposable):
        return ""
    if state.forecast and not state.forecast.pays:
        return str(state.forecast)
    return ANSWERED_EARLY if flights.is_answered(state.run.id, ahead.DIRECT) else ""


def _choose(state: State, settings: Settings) -> SolverName:
    if settings.solver == "auto":
        return state.assessment.solver if state.assessment else "chain"
    return settings.solver


async def _solve_whole(state: State, settings: Settings, solver: Literal["vote", "tree"]) -> dict[str, Any]:
    """Work the whole question out as one thread is, by a vote or a search."""
    within = budget(settings, state.run, DIRECT.share, spending(state.calls))
    work = Work(whole_task(state), settings, within, seconds=settings.thread_timeout)
    outcome = await find_outcome(work, solve_by(solver, work))
    said, shortfall = read_outcome(outcome)
    solving = [work.solving] if work.solving else []
    if not (said and said.text):
        reasons = [*state.problems, f"direct: {shortfall}"]
        return conclude_failed(state, settings, reasons, work.calls, solving=solving)
    answer = short_result(said.text)
    return conclude(state, settings, answer=answer, calls=work.calls, shortfall=shortfall, solving=solving)
