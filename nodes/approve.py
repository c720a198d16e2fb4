"""Oversight: a person sees the plan before any thread is called, and the answer before it is used.

A node that asks runs again from its start when the reply comes, so it does nothing before but read the state.
"""

import asyncio
from typing import Any, cast

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from nodes.asking import outline, review, thread
from nodes.llm.endpoints.usage import last_end
from nodes.planning.branches import with_dependents
from nodes.planning.edits import AnswerReply, Decision, EditError, PlanReply, apply_edits, read_reply
from nodes.planning.plan import ThreadPlan
from nodes.planning.solvers import choose_solver
from nodes.reporting.estimate import length, outlook, ratio
from nodes.reporting.sources import list_sources
from nodes.settings import Settings, settings_of
from nodes.shared.run import Run
from nodes.solvers.choice import expect_calls
from nodes.state import State, tasks_of

# As schemas, which clients see, and not as classes, by which LangGraph would refuse what can be understood.
PLAN, ANSWER = PlanReply.model_json_schema(), AnswerReply.model_json_schema()


async def approve_plan(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Show the plan with what it is expected to cost; approve, edit or reject it."""
    settings, plan = settings_of(runtime), cast(ThreadPlan, state.plan)
    segments = state.segments()
    shown = {
        "stage": "plan",
        "question": state.question,
        "plan": plan.model_dump(),
        "sources": [source.model_dump() for source in list_sources(segments)],
        "estimate": (await asyncio.to_thread(estimate_plan, state, settings)).model_dump(),
    }
    problem = ""
    while True:
        try:
            reply = read_reply(interrupt({**shown, "problem": problem}, response_schema=PLAN), PlanReply)
        except EditError as error:
            problem = str(error)
            continue
        decision = Decision(stage="plan", action=reply.action, note=reply.note, edits=reply.edits)
        update: dict[str, Any] = {"decisions": [*state.decisions, decision], "run": set_clock_back(state)}
        if reply.action == "approve":
            return update | {"note": ""}
        if reply.action == "reject":
            if reply.note.strip():
                return update | {"note": reply.note.strip()}
            problem = "`note` is empty: say what the new plan must mind"
            continue
        try:
            plan = apply_edits(plan, reply.edits, segments, max_threads=settings.max_threads)
        except EditError as error:
            problem = str(error)
            continue
        return update | {"plan": plan, "redo": [thread.id for thread in plan.threads], "note": ""}


async def approve_answer(state: State, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Show the answer; approve or edit it, or send threads back."""
    shown = {
        "stage": "answer",
        "question": state.question,
        "answer": state.answer,
        "outcome": state.outcome,
        "stop_reason": state.stop_reason,
        "threads": [
            {"id": thread.id, "subquestion": thread.subquestion, "status": thread.status, "answer": thread.answer}
            for thread in state.threads
        ],
    }
    ids, problem = [thread.id for thread in state.threads], ""
    while True:
        try:
            reply = read_reply(interrupt({**shown, "problem": problem}, response_schema=ANSWER), AnswerReply)
        except EditError as error:
            problem = str(error)
            continue
        decision = Decision(stage="answer", action=reply.action, note=reply.note, thread_ids=reply.thread_ids)
        update: dict[str, Any] = {"decisions": [*state.decisions, decision], "run": set_clock_back(state)}
        if reply.action == "approve":
            return update
        if reply.action == "edit":
            if reply.answer.strip():
                return update | {"answer": reply.answer.strip()}
            problem = "`answer` is empty: write the answer that is to be used instead"
            continue
        unknown = [id for id in reply.thread_ids if id not in ids]
        if unknown or not reply.thread_ids:
            there = f"there are {', '.join(ids)}" if ids else "this answer has none"
            problem = f"there is no thread `{unknown[0]}`; {there}" if unknown else f"`thread_ids` is empty; {there}"
            continue
        return update | send_back(state, reply)


def send_back(state: State, reply: AnswerReply) -> dict[str, Any]:
    """Return the update that runs threads again with a person's words."""
    why = reply.note.strip() or "A person was not content with this result."
    back = {id: state.results[id].model_copy(update={"status": "refuted", "error": why}) for id in reply.thread_ids}
    return {
        "answer": "",
        "outcome": "running",
        "stop_reason": "",
        "redo": sorted(with_dependents(reply.thread_ids, state.plan.threads if state.plan else [])),
        "split": [],
        "critiques": dict.fromkeys(reply.thread_ids, why),
        "results": back,
        "round": state.round + 1,
    }


def set_clock_back(state: State) -> Run:
    """Set the run's clock to the end of its last call: a person's time is not the run's."""
    return state.run.paused_at(last_end(state.calls))


def estimate_plan(state: State, settings: Settings) -> Any:
    """Estimate what the plan takes from here on."""
    plan = cast(ThreadPlan, state.plan)
    tasks = list(tasks_of(state))
    pieces = [piece for task in tasks for piece in thread.by_part(task)]
    calls = [expect_calls(choose_solver(piece.spec, settings), settings) for piece in pieces]
    asking = zip(pieces, calls, strict=True)
    sizes = [size for piece, (number, _) in asking for size in [length(thread.messages(piece, settings))] * number]
    reviewed = review.ends_with_call(settings, listed=plan.answer == "list")
    asked = length(review.messages(state, settings, [], "")) if reviewed else None
    outlined = length(outline.messages(state, settings))
    at_once = min(plan.parallelism, settings.max_parallel) * max((together for _, together in calls), default=1)
    return outlook(
        settings, sizes, asked, threads=len(tasks), at_once=at_once, characters_a_token=ratio(state.calls, outlined)
    )
