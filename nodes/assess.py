"""Assess: list the subquestions, see which need another's answer, and decide whether to split."""

import re
from typing import Any

from langgraph.config import get_config
from langgraph.runtime import Runtime

from nodes.conclude import stage_failed
from nodes.gate import Forecast, forecast
from nodes.llm.budget import budget, latest
from nodes.llm.caller import Caller
from nodes.llm.clients import check_configuration, known_client
from nodes.llm.errors import ConfigurationError, ModelError
from nodes.llm.ledger import CHARACTERS_A_TOKEN, Spending
from nodes.materials import outline
from nodes.progress import tell_stage
from nodes.run import Run
from nodes.segments import list_items
from nodes.settings import Role, Settings, settings_of
from nodes.state import Assessment, Problem, fresh_run
from nodes.structure import independent, one_whole, splits
from nodes.tracing import name_run
from prompts import PROMPTS, block

VERSIONS = PROMPTS["assess"].checked({"documents", "question"}, Assessment)
_QUOTED = re.compile(r'"([^"\n]*)"')
STAGES: tuple[Role, Role, Role] = ("decompose", "solve", "review")


async def assess(state: Problem, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Start the run and decide whether the problem is split."""
    settings, run = settings_of(runtime), Run()
    check_configuration(settings)
    name_run("adaptive", state.question)
    tell_stage(runtime, "assess")
    check_oversight(settings)
    start = fresh_run(run) | {"compare": settings.baseline, "oversight": settings.oversight}
    if settings.split == "always":
        return start | {"parallel": True}
    prompt = VERSIONS.chosen(settings.prompts)
    within = budget(settings, run, "assess", Spending())
    caller = Caller(settings, "assess", run=run, prompt=prompt.label, budget=within)
    messages = prompt.messages(**variables(state))
    try:
        written = await caller.structured(messages, Assessment)
    except ModelError as error:
        # An empty list would leave the calls of an earlier run where they are.
        return start | stage_failed("assess", caller, error) | {"calls": caller.calls or None}
    assessment = structured(written, state)
    ahead = await _forecast(state, settings, run, assessment) if assessment.decomposable else None
    pays = ahead is None or ahead.pays or settings.split == "if_independent"
    return start | {
        "assessment": assessment,
        "forecast": ahead,
        "parallel": assessment.decomposable and pays,
        "calls": caller.calls,
    }


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


def structured(written: Assessment, problem: Problem) -> Assessment:
    """Let the structure decide, and keep only the parts that need no other's answer.

    A model that wants to split and lists no such parts is taken at its word, since the plan is made from the question;
    exactly one part is a contradiction in itself, and nothing to split.
    """
    # The items of a list are its parts as they stand; a model that repeats them gets some of them wrong.
    parts = [] if list_items(problem.question) > 1 else independent(written.subquestions)
    split = splits(
        written.subquestions,
        wanted=written.decomposable,
        reason=written.reason,
        question=problem.question,
        documents=bool(problem.documents),
    )
    why = one_whole(problem.question) if written.decomposable and not split else ""
    return written.model_copy(
        update={
            "subquestions": parts if split and len(parts) > 1 else [],
            "decomposable": split,
            "reason": f"{written.reason} {why}".strip(),
        }
    )


def variables(problem: Problem) -> dict[str, str]:
    """Write what the prompt is filled with."""
    documents = block("Documents", outline(item for item in problem.segments() if item.kind == "document"))
    items = list_items(problem.question)
    listed = f"The question lists {items} items.\n\n" if items > 1 else ""
    # Typographic quotation marks, since small models end their JSON strings at the straight ones.
    return {"documents": documents + listed, "question": _QUOTED.sub(r"“\1”", problem.question)}


async def _forecast(state: Problem, settings: Settings, run: Run, assessment: Assessment) -> Forecast | None:
    until = latest(settings, run, "assess")
    planning, solving, reviewing = [await known_client(settings, role, until=until) for role in STAGES]
    parts = len(assessment.subquestions) or list_items(state.question)
    if not (planning and solving and reviewing) or parts < 2:
        return None
    return forecast(
        parts=min(parts, settings.max_threads),
        tokens=sum(len(segment.text) for segment in state.segments()) // CHARACTERS_A_TOKEN,
        at_once=min(settings.max_parallel, solving.slots or settings.max_parallel),
        planning=planning.learnt.pace,
        solving=solving.learnt.pace,
        reviewing=reviewing.learnt.pace,
        window=solving.window(settings)[0],
    )
