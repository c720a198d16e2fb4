"""Assess: list the subquestions that can be answered at the same time, and decide whether to split."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.conclude import stage_failed
from nodes.llm.budget import budget
from nodes.llm.caller import Caller
from nodes.llm.clients import check_configuration
from nodes.llm.errors import ModelError
from nodes.llm.ledger import Spending
from nodes.materials import outline
from nodes.progress import tell_stage
from nodes.run import Run
from nodes.settings import Settings, settings_of
from nodes.state import Assessment, Problem, fresh_run
from nodes.tracing import name_run
from prompts import PROMPTS, block

PROMPT = PROMPTS["assess"].checked({"documents", "question"}, Assessment)


async def assess(state: Problem, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Start the run and ask the model whether the problem has independent parts."""
    settings, run = settings_of(runtime), Run()
    check_configuration(settings)
    name_run("adaptive", state.question)
    tell_stage(runtime, "assess")
    caller = Caller(
        settings, "assess", run=run, prompt=PROMPT.label, budget=budget(settings, run, "assess", Spending())
    )
    documents = outline(segment for segment in state.segments() if segment.kind == "document")
    messages = PROMPT.messages(documents=block("Documents", documents), question=state.question)
    start = fresh_run(run) | {"compare": settings.baseline}
    try:
        assessment = await caller.structured(messages, Assessment)
    except ModelError as error:
        # An empty list would leave the calls of an earlier run where they are.
        return start | stage_failed("assess", caller, error) | {"calls": caller.calls or None}
    return start | {"assessment": assessment, "calls": caller.calls}
