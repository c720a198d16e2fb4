"""What is asked in one call: the whole question, with all its documents (pure)."""

from langchain_core.messages import BaseMessage

from nodes.input.excerpts import whole
from nodes.input.segments import Segment
from nodes.planning.plan import ThreadSpec
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import Problem, State, ThreadTask
from prompts import PROMPTS, block

DIRECT = Stage("solve", PROMPTS["direct"].check({"instructions", "material", "question"}), "direct")


def messages(state: Problem, settings: Settings) -> list[BaseMessage]:
    """Ask the whole question, with all its documents."""
    documents = _documents(state)
    return DIRECT.prompt(settings).messages(
        instructions=block("Instructions", state.instructions),
        material=block("Material", whole(documents)),
        question=state.question,
    )


def whole_task(state: State) -> ThreadTask:
    """Return the whole question as the task of one thread; it has no id, since it is no thread of a plan."""
    whole_question = ThreadSpec(id="", subquestion=state.question)
    return ThreadTask(run=state.run, spec=whole_question, segments=_documents(state), instructions=state.instructions)


def _documents(problem: Problem) -> list[Segment]:
    return [segment for segment in problem.segments() if segment.kind != "question"]
