"""What the reviewer is asked, and whether it is: what is wrong with the results, and the answer."""

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from nodes.asking.results import as_lines
from nodes.judging.arithmetic import evidence
from nodes.judging.verdicts import Review
from nodes.settings import Settings
from nodes.shared.environment import environment_model_file
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


def ends_with_call(settings: Settings, *, listed: bool) -> bool:
    """Whether a model has the last word where plain code finds nothing amiss: it joins the results, or judges them.

    Of 48 planted errors and contradictions the embedded model finds none in one call (evals/README.md), so it is only
    asked where there is an answer to write. What another model file in its place would find, nobody has measured.

    Args:
        settings: The run's settings.
        listed: Whether the results are the answer.
    """
    embedded = settings.model_for("review") == "local" and environment_model_file() is None
    return not listed or settings.review in ("brief", "careful") or (settings.review == "auto" and not embedded)


def find_evidence(state: State, answered: Sequence[ThreadResult]) -> list[str]:
    """List what is wrong with the results by calculation: what is laid before the reviewer."""
    given = "\n".join([state.instructions, *(segment.text for segment in state.segments())])
    return evidence([(thread.id, thread.text or thread.answer) for thread in answered], given)


def messages(
    state: State,
    settings: Settings,
    answered: Sequence[ThreadResult],
    said: str,
    *,
    listed: bool = False,
    found: Sequence[str] = (),
    crossed: Sequence[str] = (),
) -> list[BaseMessage]:
    """Ask what is wrong with the results, and for the answer.

    Where the results are the answer (`listed`) and the parts were named by number, each result says what it was asked,
    and the question is not read once more. `found` is what `find_evidence` lists, `crossed` what a cross-check found.
    """
    plan = state.plan
    # A part in the model's own words may leave something out, which only the question shows.
    by_number = listed and plan and all(spec.parts and all(part.named for part in spec.parts) for spec in plan.threads)
    common = block("What holds for every part", plan.shared_context) if plan else ""
    about = common if by_number else block("Question", state.question)
    return REVIEW.prompt(settings).messages(
        question=about,
        instructions=block("Instructions", state.instructions),
        results=as_lines(answered),
        evidence=block("Done again by a calculator", "\n".join(found))
        + block("What other results say of the same", "\n".join(crossed)),
        missing=said,
    )
