"""What the reviewer is asked: what is wrong with the results, and the answer (pure)."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from nodes.asking.results import as_lines
from nodes.judging.arithmetic import evidence
from nodes.judging.verdicts import Review
from nodes.settings import Settings
from nodes.stage import Stage
from nodes.state import State
from nodes.threads.results import ThreadResult
from prompts import PROMPTS, block

REVIEW = Stage(
    "review",
    PROMPTS["review"].check({"evidence", "instructions", "missing", "question", "results"}, Review),
    "review",
)
AS_A_LIST = "The results in turn are the answer: leave `answer` empty.\n\n"


def messages(
    state: State,
    settings: Settings,
    answered: Sequence[ThreadResult],
    said: str,
    *,
    listed: bool = False,
    crossed: Sequence[str] = (),
) -> list[BaseMessage]:
    """Ask what is wrong with the results, and for the answer.

    Where the results are the answer (`listed`) and the parts were named by number, each result says what it was asked,
    and the question is not read once more. `crossed` is what a cross-check found.
    """
    plan = state.plan
    # A part in the model's own words may leave something out, which only the question shows.
    by_number = listed and plan and all(spec.parts and all(part.named for part in spec.parts) for spec in plan.threads)
    common = block("What holds for every part", plan.shared_context) if plan else ""
    about = common if by_number else block("Question", state.question)
    given = "\n".join([state.instructions, *(segment.text for segment in state.segments())])
    found = evidence([(thread.id, thread.text or thread.answer) for thread in answered], given)
    return REVIEW.prompt(settings).messages(
        question=about,
        instructions=block("Instructions", state.instructions),
        results=as_lines(answered),
        evidence=block("Done again by a calculator", "\n".join(found))
        + block("What other results say of the same", "\n".join(crossed)),
        missing=said,
    )
